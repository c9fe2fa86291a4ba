"""``python -m collector`` as its own process over a real ledger."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio
import httpx2
import psycopg
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult

from finops.access import Scope
from ledger import tokens
from ledger.pool import Pool

ROOT = Path(__file__).resolve().parents[2]
KILLS = 4
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
CANARY = "canary-7f3a"
FREE_PORTS = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")


def environment_for(database_url: str, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_", "OTEL_"))}
    return {
        **kept,
        **FREE_PORTS,
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": database_url,
        "FINOPS_ALLOW_FSYNC_OFF": "1",
        **more,
    }


class Process(NamedTuple):
    """A running collector."""

    process: asyncio.subprocess.Process
    at: Mapping[str, str]

    async def stopped_by(self, word: signal.Signals) -> tuple[int, list[dict[str, object]]]:
        """Exit status and log lines after ``word``."""
        self.process.send_signal(word)
        return await ended(self.process)


async def ended(process: asyncio.subprocess.Process) -> tuple[int, list[dict[str, object]]]:
    async with asyncio.timeout(30):
        _, log = await process.communicate()
    assert process.returncode is not None
    return process.returncode, [json.loads(line) for line in log.splitlines()]


Launch = Callable[[Mapping[str, str]], Awaitable[asyncio.subprocess.Process]]
StartProcess = Callable[[Mapping[str, str]], Awaitable[Process]]


@pytest.fixture
async def launch() -> AsyncIterator[Launch]:
    launched: list[asyncio.subprocess.Process] = []

    async def launch(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = (sys.executable, "-m", "collector")
        process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe)
        launched.append(process)
        return process

    yield launch
    for process in launched:
        if process.returncode is None:
            process.kill()
            await process.communicate()


@pytest.fixture
def start_process(launch: Launch) -> StartProcess:
    async def start(environment: Mapping[str, str]) -> Process:
        process = await launch(environment)
        assert process.stdout is not None
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode().split()
        assert line[:2] == ["ready", "collector"], await ended(process)
        return Process(process, dict(part.split("=", 1) for part in line[2:]))

    return start


def calls(count: int) -> list[ReadableSpan]:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("opentelemetry.instrumentation.openai_v2")
    made: list[ReadableSpan] = []
    for _ in range(count):
        span = tracer.start_span(
            "chat gpt-4o",
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.usage.input_tokens": 1000,
                "gen_ai.usage.output_tokens": 100,
                "gen_ai.input.messages": f"[{CANARY}]",
            },
        )
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


async def export(address: str, batch: list[ReadableSpan], **options: object) -> SpanExportResult:
    def export_now() -> SpanExportResult:
        exporter = OTLPSpanExporter(endpoint=f"http://{address}", insecure=True, timeout=5, **options)  # type: ignore[arg-type]
        try:
            return exporter.export(batch)
        finally:
            exporter.shutdown()

    return await asyncio.to_thread(export_now)


def one(database_url: str, statement: str) -> tuple[object, ...] | None:
    with psycopg.connect(database_url) as connection:
        return connection.execute(statement).fetchone()


def contents(database_url: str) -> str:
    """Every row of every table as text."""
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        return "\n".join(
            str(connection.execute(f'select string_agg(t::text, chr(10)) from "{name}" t').fetchone())
            for (name,) in tables
        )


async def test_acknowledged_spans_are_money_in_the_ledger_and_a_term_signal_ends_it_cleanly(
    start_process, database_url
):
    collector = await start_process(environment_for(database_url))
    batch = calls(20)
    assert await export(collector.at["grpc"], batch) is SpanExportResult.SUCCESS
    assert await export(collector.at["grpc"], batch) is SpanExportResult.SUCCESS
    async with httpx2.AsyncClient() as client:
        page = (await client.get(f"http://{collector.at['metrics']}/metrics")).text
        ready = (await client.get(f"http://{collector.at['metrics']}/health/ready")).status_code
    status, log = await collector.stopped_by(signal.SIGTERM)
    calls_counted = one(database_url, "select sum(calls), sum(input_tokens), sum(output_tokens) from entries")
    assert calls_counted == (20, 20_000, 2_000)
    assert 'finops_append_spans_total{outcome="redelivered"} 20.0' in page
    assert (ready, status) == (200, 0)
    assert [line["message"] for line in log][-2:] == ["draining", "drained"]


async def test_groups_are_counted_while_others_are_written_and_large_exports_decoded_elsewhere(
    start_process, database_url
):
    collector = await start_process(environment_for(database_url))
    chance = random.Random(5)
    ahead, page = 0.0, ""
    async with httpx2.AsyncClient() as client, grpc.aio.insecure_channel(collector.at["grpc"]) as channel:
        async with asyncio.timeout(30):
            while not ahead:
                await asyncio.gather(*(channel.unary_unary(EXPORT)(small_export(chance, 500)[1]) for _ in range(8)))
                page = (await client.get(f"http://{collector.at['metrics']}/metrics")).text
                ahead = float(page.partition("\nfinops_append_counted_ahead_total ")[2].partition("\n")[0])
    assert "\nfinops_append_counted_in_vain_total " in page
    assert "\nfinops_decode_processes_total 0.0" in page, "small ones are decoded in place"
    assert await export(collector.at["grpc"], calls(1500)) is SpanExportResult.SUCCESS
    async with httpx2.AsyncClient() as client:
        page = (await client.get(f"http://{collector.at['metrics']}/metrics")).text
    assert "\nfinops_decode_processes_total 1.0" in page
    status, _ = await collector.stopped_by(signal.SIGTERM)
    assert status == 0


async def test_no_prompt_reaches_the_ledger_a_metric_or_the_log(start_process, database_url):
    collector = await start_process(environment_for(database_url))
    assert await export(collector.at["grpc"], calls(2)) is SpanExportResult.SUCCESS
    headers = {"content-type": "application/x-protobuf"}
    async with httpx2.AsyncClient() as client:
        url = f"http://{collector.at['http']}/v1/traces"
        refused = await client.post(url, content=f"\xff{CANARY}".encode("latin-1"), headers=headers)
        page = (await client.get(f"http://{collector.at['metrics']}/metrics")).text
    _, log = await collector.stopped_by(signal.SIGINT)
    assert refused.status_code == 400
    assert [line["bytes"] for line in log if line["message"] == "undecodable body"] == [1 + len(CANARY)]
    assert CANARY not in page + json.dumps(log) + contents(database_url)


async def test_once_an_ingest_token_exists_senders_must_show_one(start_process, database_url, ledger_pool: Pool):
    async with ledger_pool.connection() as connection:
        await tokens.register(connection, name="acme", secret="s3cret", scopes=[Scope.INGEST], org_id="acme")
    collector = await start_process(environment_for(database_url))
    assert await export(collector.at["grpc"], calls(1)) is SpanExportResult.FAILURE
    headers = (("authorization", "Bearer s3cret"),)
    assert await export(collector.at["grpc"], calls(1), headers=headers) is SpanExportResult.SUCCESS
    status, _ = await collector.stopped_by(signal.SIGTERM)
    assert status == 0
    assert one(database_url, "select array_agg(distinct org_id) from entries") == (["acme"],)


class Sender:
    """Sends calls one export at a time, each until it is acknowledged, as a patient Collector would."""

    def __init__(self, address: str, chance: random.Random) -> None:
        self.acknowledged: list[bytes] = []
        self.resent = 0
        self.refused_with: set[grpc.StatusCode] = set()
        self.stopping = False
        self._address = address
        self._chance = chance

    async def send(self) -> None:
        while not self.stopping:
            ids, body = small_export(self._chance)
            while not await self._acknowledged(body):
                self.resent += 1
                await asyncio.sleep(0.05)
            self.acknowledged += ids

    async def _acknowledged(self, body: bytes) -> bool:
        async with grpc.aio.insecure_channel(self._address) as channel:
            try:
                await channel.unary_unary(EXPORT)(body, timeout=5)
            except grpc.aio.AioRpcError as refused:
                self.refused_with.add(refused.code())
                return False
        return True


def small_export(chance: random.Random, spans: int = 0) -> tuple[list[bytes], bytes]:
    """Ids and bytes of an export of so many calls of one trace, or of up to nine."""
    export = ExportTraceServiceRequest()
    scope = export.resource_spans.add().scope_spans.add()
    trace_id, now = chance.randbytes(16), time.time_ns()
    for _ in range(spans or chance.randint(1, 9)):
        span = scope.spans.add(trace_id=trace_id, span_id=chance.randbytes(8), name="chat gpt-4o")
        span.start_time_unix_nano, span.end_time_unix_nano = now - 10**6, now
        for key, value in (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o")):
            span.attributes.add(key=key).value.string_value = value
        span.attributes.add(key="gen_ai.provider.name").value.string_value = "openai"
        span.attributes.add(key="gen_ai.response.id").value.string_value = span.span_id.hex()
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 10
    return [span.span_id for span in scope.spans], export.SerializeToString()


@pytest.mark.slow
async def test_killed_again_and_again_it_loses_and_doubles_nothing(start_process, database_url):
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    chance = random.Random(seed)
    collector = await start_process(environment_for(database_url))
    again = environment_for(database_url, FINOPS_OTLP_GRPC=collector.at["grpc"])
    senders = [Sender(collector.at["grpc"], random.Random(chance.random())) for _ in range(4)]
    sending = [asyncio.create_task(sender.send()) for sender in senders]
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.2, 0.8))  # the moment of the kill is the experiment
        collector.process.kill()
        await collector.process.communicate()
        collector = await start_process(again)
    for sender in senders:
        sender.stopping = True
    await asyncio.gather(*sending)
    status, _ = await collector.stopped_by(signal.SIGTERM)
    acknowledged = [span_id for sender in senders for span_id in sender.acknowledged]
    with psycopg.connect(database_url) as connection:
        kept = connection.execute("select span_id, sum(calls), sum(input_tokens) from entries group by 1").fetchall()
    assert {bytes(span_id): (calls, tokens) for span_id, calls, tokens in kept} == dict.fromkeys(acknowledged, (1, 10))
    assert one(database_url, "select sum(calls) from session_slots") == (len(acknowledged),)
    assert status == 0
    retryable = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
    assert set().union(*(sender.refused_with for sender in senders)) <= retryable
    assert len(acknowledged) > 100, "too few spans to prove anything"
    assert sum(sender.resent for sender in senders) >= KILLS


async def test_a_taken_port_is_said_and_nothing_is_left_running(launch, database_url):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for name in FREE_PORTS:
            process = await launch(environment_for(database_url, **{name: f"127.0.0.1:{port}"}))
            status, log = await ended(process)
            assert status == 1
            assert log[-1]["message"] == "cannot start"


async def test_a_database_without_tables_is_said(launch, empty_database_url):
    status, log = await ended(await launch(environment_for(empty_database_url)))
    assert status == 1
    assert "run `agent-finops migrate`" in str(log[-1]["reason"])


async def test_it_waits_for_the_ledger_and_can_be_stopped_meanwhile(launch):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://nobody@127.0.0.1:{mute.getsockname()[1]}/finops"
        process = await launch(environment_for(url))
        with (await asyncio.to_thread(mute.accept))[0]:
            process.send_signal(signal.SIGTERM)
            status, _ = await ended(process)
    assert status == 0


def test_check_shows_the_settings_and_no_secret():
    environment = environment_for("postgresql://finops:s3cret@127.0.0.1/finops")
    command = [sys.executable, "-m", "collector", "--check"]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "FINOPS_DATABASE_URL=***" in shown.stdout
    assert "s3cret" not in shown.stdout + shown.stderr


def test_bad_settings_are_all_named_at_once():
    environment = environment_for("", FINOPS_INSECURE="yes")
    command = [sys.executable, "-m", "collector"]
    shown = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 2
    assert [line.split()[1] for line in shown.stderr.splitlines()] == ["FINOPS_DATABASE_URL", "FINOPS_INSECURE"]

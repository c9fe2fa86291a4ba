"""A PostgreSQL that hangs: its processes are stopped, so its sockets stay open and nothing is ever answered.

Only the client's own deadlines help then. Everything must answer in time, say that it is not ready, and go on by
itself once the server does.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import grpc
import grpc.aio
import httpx2
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from finops.access import Scope
from finops.spans import LedgerUnavailable
from ledger.migrate import migrate
from ledger.pool import CHECK_SECONDS_MAX, Connection, Pool, patience_of, pool
from ledger.reading import look, reaching
from ledger.tokens import register
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
STATEMENT_MS = 1500
SLACK_SECONDS = 1.5
"""For a busy machine."""
READER, TRENDS = {"Authorization": "Bearer secret"}, "/api/v1/finops/trends?days=1"
pytestmark = pytest.mark.slow


class Server:
    """A PostgreSQL of this module's own, which can be made to hang."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self._postgres = postgres
        self.url = postgres.url

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Every process of it is stopped meanwhile, the postmaster first: nothing new is started."""
        pid = self._postgres.pid
        assert pid is not None
        stopped = [pid]
        os.kill(pid, signal.SIGSTOP)
        try:
            for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()):
                os.kill(child, signal.SIGSTOP)
                stopped.append(child)
            yield
        finally:
            for one in reversed(stopped):
                os.kill(one, signal.SIGCONT)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    postgres = EmbeddedPostgres()
    directory = tmp_path_factory.mktemp("hung-postgres")
    url = postgres.start(directory, settings={"fsync": "off"}, disposable=True)
    try:
        asyncio.run(_prepared(url))
        yield Server(postgres)
    finally:
        postgres.stop()


async def _prepared(url: str) -> None:
    await migrate(url)
    async with await Connection.connect(url) as connection:
        await register(connection, name="reader", secret="secret", scopes=[Scope.READ])


@pytest.fixture
async def patient_pool(server: Server) -> AsyncIterator[Pool]:
    opened = pool(
        server.url,
        size_max=3,
        name="patient",
        statement_timeout_ms=STATEMENT_MS,
        patience_seconds=patience_of(STATEMENT_MS),
    )
    await opened.open(wait=True)
    yield opened
    await opened.close()


async def one(connection: Connection) -> object:
    row = await (await connection.execute("select 1")).fetchone()
    assert row is not None
    return row[0]


async def until_answers(pool: Pool) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                async with reaching(pool) as connection:
                    assert await one(connection) == 1
                    return
            except LedgerUnavailable:
                continue


async def test_an_idle_connection_to_a_hung_server_is_not_waited_for(server: Server, patient_pool: Pool) -> None:
    with server.hanging():
        async with asyncio.timeout(CHECK_SECONDS_MAX + SLACK_SECONDS):
            with pytest.raises(LedgerUnavailable):
                async with look(patient_pool):
                    pass
    await until_answers(patient_pool)


async def interrupted(pool: Pool, server: Server) -> Connection:
    """A connection on which the server hung in the middle of a transaction."""
    try:
        async with reaching(pool) as connection, connection.transaction():
            with server.hanging():
                await connection.execute("select pg_sleep(60)")
    except LedgerUnavailable:
        return connection
    pytest.fail("a hung server answered")


async def test_a_query_under_way_is_given_up_and_so_is_its_connection(server: Server, patient_pool: Pool) -> None:
    async with asyncio.timeout(patience_of(STATEMENT_MS) + SLACK_SECONDS):
        connection = await interrupted(patient_pool, server)
    assert connection.closed
    await until_answers(patient_pool)


async def test_a_cancelled_query_does_not_wait_for_the_server_to_agree(server: Server, patient_pool: Pool) -> None:
    async with reaching(patient_pool) as connection:
        with server.hanging():
            began = time.monotonic()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await connection.execute("select 1")
            assert time.monotonic() - began < 0.1 + SLACK_SECONDS
    await until_answers(patient_pool)


async def test_every_connection_of_the_pool_comes_back(server: Server, patient_pool: Pool) -> None:
    async def asked() -> None:
        with pytest.raises(LedgerUnavailable):
            async with reaching(patient_pool) as connection:
                await one(connection)

    with server.hanging():
        for _ in range(3):
            async with asyncio.timeout(CHECK_SECONDS_MAX + SLACK_SECONDS):
                await asyncio.gather(*(asked() for _ in range(8)))
    await until_answers(patient_pool)
    async with asyncio.timeout(30):
        while True:
            try:
                async with (
                    reaching(patient_pool) as first,
                    reaching(patient_pool) as second,
                    reaching(patient_pool) as third,
                ):
                    assert [await one(connection) for connection in (first, second, third)] == [1, 1, 1]
                    return
            except LedgerUnavailable:
                continue


@asynccontextmanager
async def running(module: str, url: str, **more: str) -> AsyncIterator[list[str]]:
    """The words of the ready line of a service."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_", "OTEL_"))}
    names = ("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS", "FINOPS_API")
    told = {
        **kept,
        **dict.fromkeys(names, "127.0.0.1:0"),
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": url,
        **more,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, env=told, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            words = (await process.stdout.readline()).decode().split()
        assert words[:1] == ["ready"]
        yield words
    finally:
        process.terminate()
        await process.communicate()


def export(number: int) -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="chat gpt-4o-mini")
    span.trace_id, span.span_id = number.to_bytes(16), number.to_bytes(8)
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
    for key, value in (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o-mini")):
        span.attributes.add(key=key).value.string_value = value
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 10
    return request.SerializeToString()


async def until_status(client: httpx2.AsyncClient, path: str, status: int) -> httpx2.Response:
    async with asyncio.timeout(30):
        while True:
            answer = await client.get(path)
            if answer.status_code == status:
                return answer


async def test_the_query_api_answers_503_in_time_and_recovers(server: Server) -> None:
    settings = {"FINOPS_COLLECTOR_URL": "off", "FINOPS_API_STATEMENT_TIMEOUT_MS": str(STATEMENT_MS)}
    async with (
        running("query_api", server.url, **settings) as words,
        httpx2.AsyncClient(base_url=words[2], headers=READER, timeout=60) as api,
    ):
        with server.hanging():  # nothing was asked before: not even the token is known
            async with asyncio.timeout(CHECK_SECONDS_MAX + SLACK_SECONDS):
                first = await api.get(TRENDS)
            async with asyncio.timeout(CHECK_SECONDS_MAX + SLACK_SECONDS):
                answers = await asyncio.gather(*(api.get(TRENDS) for _ in range(20)))
            assert {answer.status_code for answer in (first, *answers)} == {503}
            assert first.headers["Retry-After"] == "1"
            await until_status(api, "/actuator/health/readiness", 503)
        await until_status(api, TRENDS, 200)
        await until_status(api, "/actuator/health/readiness", 200)


Ports = Mapping[str, str]


@asynccontextmanager
async def collecting(server: Server, **more: str) -> AsyncIterator[Ports]:
    async with running("collector", server.url, FINOPS_ALLOW_FSYNC_OFF="1", **more) as words:
        yield dict(word.split("=", 1) for word in words[2:])


async def send_over_http(at: Ports, number: int) -> int:
    async with httpx2.AsyncClient(timeout=60) as client:
        headers = {"Content-Type": "application/x-protobuf"}
        answer = await client.post(f"http://{at['http']}/v1/traces", content=export(number), headers=headers)
        return answer.status_code


async def send_over_grpc(at: Ports, number: int) -> grpc.StatusCode:
    async with grpc.aio.insecure_channel(at["grpc"]) as channel:
        try:
            await channel.unary_unary(EXPORT)(export(number), timeout=60)
        except grpc.aio.AioRpcError as refused:
            return refused.code()
        return grpc.StatusCode.OK


async def test_exports_are_given_back_in_time_and_readiness_follows_the_ledger(server: Server) -> None:
    async with collecting(server) as at, httpx2.AsyncClient(base_url=f"http://{at['metrics']}") as pages:
        with server.hanging():
            async with asyncio.timeout(3 + SLACK_SECONDS):
                told = await asyncio.gather(send_over_http(at, 1), send_over_grpc(at, 2))
            assert list(told) == [503, grpc.StatusCode.UNAVAILABLE]
            away = await until_status(pages, "/health/ready", 503)
            assert away.json()["status"] == "ledger_away"
            async with asyncio.timeout(3 + SLACK_SECONDS):
                assert await send_over_http(at, 1) == 503
        await until_status(pages, "/health/ready", 200)
        async with asyncio.timeout(30):
            while await send_over_http(at, 1) != 200 or await send_over_grpc(at, 2) is not grpc.StatusCode.OK:
                pass
    assert calls(server, 1, 2) == [1, 1]


async def test_with_a_spool_even_the_first_export_is_taken_while_the_server_hangs(
    server: Server, tmp_path: Path
) -> None:
    async with (
        collecting(server, FINOPS_SPOOL_DIR=str(tmp_path / "spool"), FINOPS_SPOOL_AFTER_MS="100") as at,
        httpx2.AsyncClient(base_url=f"http://{at['metrics']}") as pages,
    ):
        await asked_once(pages)
        with server.hanging():
            async with asyncio.timeout(3 + SLACK_SECONDS):
                told = await asyncio.gather(send_over_http(at, 3), send_over_grpc(at, 4))
            assert list(told) == [200, grpc.StatusCode.OK]
            assert (await pages.get("/health/ready")).status_code == 200
        async with asyncio.timeout(30):
            while (await pages.get("/health/ready")).json()["spool"]["exports"]:
                pass
    assert calls(server, 3, 4) == [1, 1]


async def asked_once(pages: httpx2.AsyncClient) -> None:
    """Returns when the collector has had an answer of the ledger since it was looked at first."""
    last = -1
    async with asyncio.timeout(30):
        while (silent := (await pages.get("/health/ready")).json()["ledger"]["silentMs"]) >= last:
            last = silent


def calls(server: Server, *numbers: int) -> list[int]:
    with psycopg.connect(server.url) as connection:
        spans = [number.to_bytes(8) for number in numbers]
        sums = "select sum(calls)::int from entries where span_id = any(%s) group by span_id order by span_id"
        return [row[0] for row in connection.execute(sums, [spans])]

"""Every number of the collector moves, each for what it says: one story through all stages, over a real ledger."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import uuid4

import grpc.aio
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import collector.tidying
from collector.decoders import DECODERS
from collector.metrics import COUNTED_AHEAD, COUNTED_IN_VAIN, FOLDED, TABLE, Metrics
from collector.pipeline import Clock
from collector.service import Listening, Service
from collector.settings import read_settings
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
SPANS = ("posted", "redelivered", "suspense", "ignored")


class Hesitant:
    """The real ledger, which may be told to wait or to be away."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.open = asyncio.Event()
        self.open.set()
        self.away = False

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        await self.open.wait()
        if self.away:
            raise LedgerUnavailable("away")
        return await self._ledger.append(batch, rejected, arrived_ns)


def export(number: int, *, tokens: int | None = 100) -> bytes:
    """One call; without tokens a span that is no call."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="anything")
    span.trace_id, span.span_id = number.to_bytes(16), number.to_bytes(8)
    span.end_time_unix_nano = time.time_ns()
    span.start_time_unix_nano = span.end_time_unix_nano - 10**6
    if tokens is not None:
        for key, text in (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "gpt-4o-mini")):
            span.attributes.add(key=key).value.string_value = text
        for key in ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"):
            span.attributes.add(key=key).value.int_value = tokens
    return request.SerializeToString()


class Story:
    """A collector whose numbers are looked at."""

    def __init__(self, service: Service, ledger: Hesitant, at: Listening, channel: grpc.aio.Channel) -> None:
        self.metrics = service.metrics
        self.ledger = ledger
        self._call = channel.unary_unary(EXPORT)
        self.moved: set[str] = set()
        self._before = samples(self.metrics)

    async def send(self, body: bytes) -> None:
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._call(body, timeout=20)

    def look(self) -> None:
        """Remember what differs from the beginning."""
        now = samples(self.metrics)
        self.moved |= {name for name, values in now.items() if values != self._before.get(name)}

    async def until(self, name: str) -> None:
        """Has moved."""
        async with asyncio.timeout(20):
            while name not in self.moved:
                await asyncio.sleep(0.02)
                self.look()


def samples(metrics: Metrics) -> dict[str, list[tuple[str, float]]]:
    """Values by family, as the table names it."""
    found: dict[str, list[tuple[str, float]]] = {}
    for family in metrics.registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = [(str(one.labels) + one.name, one.value) for one in family.samples]
    return found


@pytest.fixture
async def story(ledger_pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Story]:
    monkeypatch.setattr(collector.tidying, "GIVE_BACK_EVERY_SECONDS", 0.1)
    free = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
    settings = read_settings(
        {
            "FINOPS_DATABASE_URL": "postgresql://nowhere/finops",
            "FINOPS_SPOOL_DIR": str(tmp_path),
            "FINOPS_SPOOL_AFTER_MS": "10000",
            "FINOPS_ADMITTED_REQUESTS_MAX": "1",
            "FINOPS_INLINE_DECODE_BYTES_MAX": "0",
            **free,
        }
    )
    ledger = Hesitant(Ledger(ledger_pool, RateStore(), writer=uuid4(), limits=Limits()))
    service = Service(settings, ledger, None, DECODERS, Clock(time.time_ns, time.monotonic), lambda: 0.5)
    at = await service.start()
    async with grpc.aio.insecure_channel(str(at.grpc)) as channel:
        yield Story(service, ledger, at, channel)
    await service.stop()


async def test_every_number_moves(story: Story) -> None:
    body = export(1)
    await story.send(body)
    await story.send(body)
    await story.send(export(1, tokens=7))
    await story.send(export(2, tokens=None))
    await story.send(export(3, tokens=-1))
    spans = {name: story.metrics.value("finops_append_spans_total", outcome=name) for name in SPANS}
    assert spans == {"posted": 1, "redelivered": 2, "suspense": 1, "ignored": 1}
    assert story.metrics.value("finops_append_conflicts_total") == 1
    story.ledger.open.clear()
    inside = asyncio.ensure_future(story.send(export(4)))
    for name in ("bytes", "spans", "requests", "age_seconds"):
        await story.until(f"finops_queue_{name}")
    await story.send(export(5))
    assert story.metrics.value("finops_receive_refused_total", reason="requests") == 1
    await story.until("finops_receive_late_exports_total")
    await story.until("finops_receive_late_exports")
    story.ledger.away = True
    story.ledger.open.set()
    await inside
    for name in ("bytes", "exports", "age_seconds", "spans_total"):
        await story.until(f"finops_spool_{name}")
    await story.until("finops_append_failures_total")
    story.ledger.away = False
    async with asyncio.timeout(20):
        while story.metrics.value("finops_spool_spans_total", outcome="drained") < 1:  # noqa: ASYNC110 - a counter
            await asyncio.sleep(0.02)
    await story.until("finops_loop_lag_seconds")
    await story.until("finops_heap_give_back_seconds")
    # Ready was 1 before the story, and folding labels takes more kinds than there are. Tried apart are issuers, and
    # what the ledger counts ahead, which takes a ledger in a thread of its own.
    families = {family.name for family in TABLE if not family.name.startswith("finops_oidc_")}
    assert families - story.moved == {"finops_ready", FOLDED, COUNTED_AHEAD, COUNTED_IN_VAIN}

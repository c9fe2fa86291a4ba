"""A whole collector in the test's own loop, over a ledger that the test can stop, break or make wait."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple

import pytest

from collector.decoders import DECODERS, Decode
from collector.otlp_status import Encoding, Signal
from collector.pipeline import Clock
from collector.senders import IngestTokens
from collector.service import Listening, Service
from collector.settings import read_settings
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord


class ScriptedLedger:
    """Keeps what it is given, unless told to be down, to wait, or to choke on a span name."""

    def __init__(self) -> None:
        self.records: list[SpanRecord] = []
        self.rejected: list[Rejected] = []
        self.groups: list[int] = []
        self.down = False
        self.chokes_on: set[bytes] = set()
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        self.entered.set()
        await self.open.wait()
        if self.down:
            raise LedgerUnavailable("the ledger is down")
        if any(record.span_id in self.chokes_on for record in batch):
            raise ArithmeticError("a span the ledger cannot digest")
        self.records += batch
        self.rejected += rejected
        self.groups.append(len(batch))
        received = len(batch) + len(rejected)
        return AppendOutcome(received=received, posted=len(batch), suspense=len(rejected))


class Running(NamedTuple):
    """A collector that accepts, and the ledger below it."""

    service: Service
    ledger: ScriptedLedger
    at: Listening

    @property
    def url(self) -> str:
        return f"http://{self.at.http}"

    @property
    def pages(self) -> str:
        return f"http://{self.at.metrics}"


StartCollector = Callable[..., Awaitable[Running]]


@pytest.fixture
async def start_collector() -> AsyncIterator[StartCollector]:
    """Starts collectors on free ports; settings are given as environment variables."""
    services: list[Service] = []

    async def start(
        tokens: IngestTokens | None = None,
        decoders: dict[tuple[Signal, Encoding], Decode] | None = None,
        **environment: str,
    ) -> Running:
        free = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
        settings = read_settings({"FINOPS_DATABASE_URL": "postgresql://nowhere/finops", **free, **environment})
        ledger = ScriptedLedger()
        service = Service(
            settings,
            ledger,
            tokens,
            decoders or DECODERS,
            Clock(time.time_ns, time.monotonic),
            lambda: 0.5,
        )
        services.append(service)
        return Running(service, ledger, await service.start())

    yield start
    await asyncio.gather(*(service.stop() for service in services))


@pytest.fixture
async def collector(start_collector: StartCollector) -> Running:
    """One collector with default limits."""
    return await start_collector()

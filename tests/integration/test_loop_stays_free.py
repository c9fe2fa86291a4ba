"""Under load nothing keeps the loop that answers senders for longer than 20 ms of processor time."""

import asyncio
import threading
import time
from asyncio import events
from typing import Any
from uuid import uuid4

import grpc.aio
import pytest

from benchmarks.ingest_traffic import Template
from collector.decoders import DECODERS
from collector.ledger_thread import LedgerElsewhere, LedgerThread
from collector.pipeline import Clock
from collector.service import Service
from collector.settings import read_settings
from collector.writer import Ledger as AnyLedger
from ledger.append import Ledger, Limits
from ledger.pool import pool
from ledger.rates import RateStore

BUSY_SECONDS_MAX = 0.020
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
GROUPS, EXPORTS_AT_ONCE = 3, 4


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of processor time of every step of the main thread's loop; neighbours on the machine do not count."""
    found: list[float] = []
    run: Any = events.Handle._run

    def timed(handle: Any) -> None:
        began = time.thread_time()
        run(handle)
        if threading.current_thread() is threading.main_thread():
            found.append(time.thread_time() - began)

    monkeypatch.setattr(events.Handle, "_run", timed)
    return found


async def load(database_url: str, ledger: AnyLedger, steps: list[float]) -> float:
    """The longest step while some full groups of exports of 512 spans come in by the gRPC door."""
    free = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
    settings = read_settings(
        {"FINOPS_ALLOW_SUPERUSER": "1", "FINOPS_DATABASE_URL": database_url, "FINOPS_ANSWER_MS_MAX": "60000", **free}
    )
    clock = Clock(time.time_ns, time.monotonic)
    service = Service(settings, ledger, None, DECODERS, clock, lambda: 0.5)
    exports = [Template(512, "attr", seed).export() for seed in range(GROUPS * EXPORTS_AT_ONCE)]
    at = await service.start()
    try:
        async with grpc.aio.insecure_channel(str(at.grpc)) as channel:
            send: Any = channel.unary_unary(EXPORT)
            await channel.channel_ready()
            steps.clear()
            for group in range(GROUPS):
                await asyncio.gather(*(send(body) for body in exports[group::GROUPS]))
            return max(steps)
    finally:
        await service.stop()


async def longest_step(database_url: str, steps: list[float], thread: LedgerThread | None) -> float:
    """With the ledger in a thread, or in the loop that answers."""
    connections = pool(database_url, size_max=1, name="loop", statement_timeout_ms=60_000)
    real = Ledger(connections, RateStore(), writer=uuid4(), limits=Limits())
    if thread is None:
        await connections.open(wait=True)
        longest = await load(database_url, real, steps)
        await connections.close()
        return longest
    await thread.run(connections.open(wait=True))
    longest = await load(database_url, LedgerElsewhere(real, thread), steps)
    await thread.run(connections.close())
    return longest


@pytest.mark.slow
async def test_no_step_of_the_loop_takes_longer_than_20_ms(database_url: str, steps: list[float]) -> None:
    thread = LedgerThread(asyncio.new_event_loop)
    thread.start()
    try:
        apart = await longest_step(database_url, steps, thread)
        assert apart < BUSY_SECONDS_MAX
        inside = await longest_step(database_url, steps, None)
        assert inside > apart, "then the thread is not what keeps the loop free"
    finally:
        thread.stop()

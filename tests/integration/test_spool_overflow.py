"""The spool in a whole collector: answers in time while the ledger cannot, and drains in order once it can."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from collector.metrics import SPOOL_BYTES, SPOOL_EXPORTS, SPOOL_SPANS, Metrics
from collector.spool import Spool
from collector.spool_overflow import Limits, Overflow
from collector.writer import GroupWriter, Settled
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanClass, SpanRecord

AFTER_SECONDS = 0.1


def span(name: str) -> SpanRecord:
    return SpanRecord("acme", os.urandom(16), os.urandom(8), b"", SpanClass.CALL, 0, 0, name)


class ScriptedLedger:
    """Keeps what it is given, unless told to be down, to wait, or to choke."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, int]] = []
        self.rejected: list[Rejected] = []
        self.down = False
        self.open = asyncio.Event()
        self.open.set()
        self.running = 0

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        self.running += 1
        assert self.running == 1, "appends must not overlap"
        try:
            await self.open.wait()
        finally:
            self.running -= 1
        if self.down:
            raise LedgerUnavailable("down")
        if any(record.name == "poison" for record in batch):
            raise ArithmeticError("cannot digest it")
        self.kept += [(record.name, arrived_ns) for record in batch]
        self.rejected += rejected
        return AppendOutcome(len(batch) + len(rejected), len(batch), 0, len(rejected))


class Collector:
    """Writer, overflow and ledger put together."""

    def __init__(self, directory: Path, bytes_max: int = 1 << 20) -> None:
        self.ledger = ScriptedLedger()
        self.metrics = Metrics()
        self.spool = Spool(directory, bytes_max)
        limits = Limits(AFTER_SECONDS, group_spans=100)
        self.overflow = Overflow(self.ledger, self.spool, self.metrics, limits, time.monotonic, time.time_ns)
        self.writer = GroupWriter(
            self.overflow, self.metrics, group_spans=100, queue_requests=100, seconds=time.monotonic
        )

    async def start(self) -> None:
        await self.overflow.start()
        self.writer.start()

    async def stop(self) -> None:
        await self.writer.stop(2)
        await self.overflow.stop(0.1)

    async def send(self, *names: str, at: int = 1) -> Settled | LedgerUnavailable:
        return await self.writer.submit([span(name) for name in names], [], at)

    async def drained(self) -> None:
        await until(lambda: not self.overflow.is_spilling)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is awaited has no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def collector(tmp_path: Path) -> AsyncIterator[Collector]:
    collector = Collector(tmp_path)
    await collector.start()
    yield collector
    collector.ledger.open.set()
    await collector.stop()


async def test_nothing_goes_to_the_spool_while_the_ledger_answers(collector: Collector) -> None:
    assert await collector.send("a") == Settled(AppendOutcome(1, 1))
    assert collector.metrics.value(SPOOL_SPANS, outcome="stored") == 0
    assert not collector.overflow.is_spilling


async def test_while_the_ledger_is_down_exports_are_answered_and_leave_in_order_at_their_times(
    collector: Collector,
) -> None:
    collector.ledger.down = True
    for at in range(5):
        assert await collector.send(f"export {at}", at=at * 10**9) == Settled(AppendOutcome())
    assert collector.metrics.value(SPOOL_EXPORTS) == 5
    assert collector.metrics.value(SPOOL_BYTES) > 0
    assert collector.overflow.state()["spilling"] is True
    collector.ledger.down = False
    await collector.drained()
    assert [name for name, _ in collector.ledger.kept] == [f"export {at}" for at in range(5)]
    assert all(abs(arrived - at * 10**9) <= 10**9 for at, (_, arrived) in enumerate(collector.ledger.kept))
    assert collector.metrics.value(SPOOL_BYTES) == 0
    assert await collector.send("next") == Settled(AppendOutcome(1, 1))


async def test_what_arrives_while_the_spool_drains_waits_its_turn(collector: Collector) -> None:
    collector.ledger.down = True
    await collector.send("first")
    collector.ledger.open.clear()
    collector.ledger.down = False
    await until(lambda: collector.ledger.running)
    await collector.send("second", at=5 * 10**9)
    collector.ledger.open.set()
    await collector.drained()
    assert [name for name, _ in collector.ledger.kept] == ["first", "second"]


async def test_a_ledger_that_hangs_is_not_waited_for(collector: Collector) -> None:
    collector.ledger.open.clear()
    assert await collector.send("hanging") == Settled(AppendOutcome())
    assert await collector.send("behind it") == Settled(AppendOutcome())
    collector.ledger.open.set()
    await collector.drained()
    assert {name for name, _ in collector.ledger.kept} == {"hanging", "behind it"}
    assert collector.metrics.value(SPOOL_SPANS, outcome="drained") == 2


async def test_an_indigestible_span_in_the_spool_goes_to_suspense_and_its_neighbours_leave(
    collector: Collector,
) -> None:
    collector.ledger.down = True
    for name in ("good", "poison", "fine"):
        await collector.send(name)
    collector.ledger.down = False
    await collector.drained()
    assert {name for name, _ in collector.ledger.kept} == {"good", "fine"}
    assert [refused.reason for refused in collector.ledger.rejected] == ["refused_by_ledger"]


async def test_what_was_left_is_drained_in_the_next_life(tmp_path: Path) -> None:
    first = Collector(tmp_path)
    await first.start()
    first.ledger.down = True
    await first.send("left")
    await first.stop()
    second = Collector(tmp_path)
    await second.start()
    await second.drained()
    assert [name for name, _ in second.ledger.kept] == ["left"]
    await second.stop()


async def test_a_full_spool_is_unavailable_until_it_has_drained(tmp_path: Path) -> None:
    collector = Collector(tmp_path, bytes_max=70_000)
    await collector.start()
    collector.ledger.down = True
    answers = [await collector.send(*["x" * 100] * 50) for _ in range(20)]
    assert isinstance(answers[0], Settled)
    assert isinstance(answers[-1], LedgerUnavailable)
    assert "full" in str(answers[-1])
    collector.ledger.down = False
    await collector.drained()
    assert await collector.send("now") == Settled(AppendOutcome(1, 1))
    acknowledged = sum(isinstance(answer, Settled) for answer in answers)
    assert len(collector.ledger.kept) == acknowledged * 50 + 1
    await collector.stop()


async def test_a_broken_disk_is_not_believed_again(collector: Collector) -> None:
    assert collector.spool._file is not None
    collector.spool._broken = True
    collector.ledger.down = True
    assert isinstance(await collector.send("a"), LedgerUnavailable)
    collector.ledger.down = False
    await collector.drained()
    assert await collector.send("b") == Settled(AppendOutcome(1, 1))

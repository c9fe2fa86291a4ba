"""Group commit over a ledger that can wait, fail and choke."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence

import pytest

from collector.metrics import Metrics
from collector.writer import POISONOUS_SPANS_MAX, GroupWriter, Settled
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanClass, SpanRecord


def span(name: str = "chat", tenant: str = "acme") -> SpanRecord:
    return SpanRecord(tenant, os.urandom(16), os.urandom(8), b"", SpanClass.CALL, 0, 0, name)


class ScriptedLedger:
    def __init__(self) -> None:
        self.groups: list[list[str]] = []
        self.rejected: list[Rejected] = []
        self.arrivals: list[int] = []
        self.fault: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.entered = asyncio.Event()
        self.at_once = 0

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        self.at_once += 1
        assert self.at_once == 1, "appends must not overlap"
        self.entered.set()
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.fault is not None:
            raise self.fault
        if any(record.name == "poison" for record in batch):
            raise ArithmeticError("canary-secret")
        self.groups.append([record.name for record in batch])
        self.rejected += rejected
        self.arrivals.append(arrived_ns)
        return AppendOutcome(len(batch) + len(rejected), len(batch), 0, len(rejected))


@pytest.fixture
def ledger() -> ScriptedLedger:
    return ScriptedLedger()


@pytest.fixture
async def writer(ledger: ScriptedLedger) -> AsyncIterator[GroupWriter]:
    writer = GroupWriter(ledger, Metrics(), group_spans=10, queue_requests=5, seconds=time.monotonic)
    writer.start()
    yield writer
    ledger.open.set()
    await writer.stop(5)


async def occupied(writer: GroupWriter, ledger: ScriptedLedger) -> "asyncio.Future[Settled | LedgerUnavailable]":
    """The writer is inside an append that waits."""
    ledger.open.clear()
    first = writer.submit([span("first")], [], 0)
    await ledger.entered.wait()
    return first


async def test_what_waits_during_an_append_becomes_the_next_group_in_order(writer, ledger):
    await occupied(writer, ledger)
    waiting = [writer.submit([span(name)], [], index) for index, name in enumerate("abc", 1)]
    ledger.open.set()
    await asyncio.gather(*waiting)
    assert ledger.groups == [["first"], ["a", "b", "c"]]
    assert ledger.arrivals == [0, 1]


async def test_a_group_is_closed_at_its_limit_but_never_splits_or_refuses_an_export(writer, ledger):
    await occupied(writer, ledger)
    waiting = [writer.submit([span()] * size, [], 0) for size in (6, 4, 1, 25)]
    ledger.open.set()
    await asyncio.gather(*waiting)
    assert [len(group) for group in ledger.groups] == [1, 10, 1, 25]


async def test_tenants_take_turns_and_each_keeps_its_order(writer, ledger):
    await occupied(writer, ledger)
    flood = [writer.submit([span(f"loud {n}", "loud")] * 4, [], n) for n in range(4)]
    last = writer.submit([span("quiet", "quiet")], [], 9)
    ledger.open.set()
    await asyncio.gather(*flood, last)
    assert [list(dict.fromkeys(group)) for group in ledger.groups] == [
        ["first"], ["loud 0", "quiet", "loud 1"], ["loud 2", "loud 3"],
    ]  # fmt: skip


async def test_a_full_queue_is_unavailable_at_once(writer, ledger):
    await occupied(writer, ledger)
    queued = [writer.submit([span()], [], 0) for _ in range(5)]
    over = writer.submit([span()], [], 0)
    assert over.done()
    assert isinstance(over.result(), LedgerUnavailable)
    ledger.open.set()
    assert all(isinstance(settled, Settled) for settled in await asyncio.gather(*queued))


async def test_an_unavailable_ledger_is_told_to_everybody_in_the_group_and_the_writer_lives_on(writer, ledger):
    first = await occupied(writer, ledger)
    others = [writer.submit([span()], [], 0) for _ in range(3)]
    ledger.fault = LedgerUnavailable("down")
    ledger.open.set()
    assert all(isinstance(settled, LedgerUnavailable) for settled in await asyncio.gather(first, *others))
    ledger.fault = None
    assert isinstance(await writer.submit([span("later")], [], 0), Settled)
    assert ledger.groups == [["later"]]


async def test_poison_is_isolated_from_its_group_and_from_its_own_export(writer, ledger):
    await occupied(writer, ledger)
    names = ["a", "poison", "b", "c", "poison"]
    poisoned = writer.submit([span(name) for name in names], [Rejected("bad_usage", "")], 0)
    clean = writer.submit([span("clean")], [], 0)
    ledger.open.set()
    settled = await poisoned
    assert isinstance(settled, Settled)
    assert [(refused.reason, refused.tenant) for refused in settled.refused] == [("refused_by_ledger", "acme")] * 2
    assert "canary" not in repr(settled.refused)
    assert isinstance(await clean, Settled)
    assert sorted(name for group in ledger.groups for name in group) == ["a", "b", "c", "clean", "first"]
    assert [refused.reason for refused in ledger.rejected] == ["bad_usage", "refused_by_ledger", "refused_by_ledger"]


async def test_a_ledger_that_refuses_everything_is_unavailable_and_nothing_is_given_up(writer, ledger):
    ledger.fault = ZeroDivisionError()
    for size in (1, 3, POISONOUS_SPANS_MAX * 3):
        assert isinstance(await writer.submit([span()] * size, [], 0), LedgerUnavailable)
    assert ledger.rejected == []


async def test_stopping_appends_what_is_queued_and_refuses_newcomers(writer, ledger):
    first = await occupied(writer, ledger)
    queued = writer.submit([span("queued")], [], 0)
    stopping = asyncio.create_task(writer.stop(5))
    await asyncio.sleep(0)
    late = writer.submit([span("late")], [], 0)
    ledger.open.set()
    assert await stopping
    assert isinstance(first.result(), Settled)
    assert isinstance(queued.result(), Settled)
    assert isinstance(late.result(), LedgerUnavailable)


async def test_a_stop_that_runs_out_of_time_answers_everybody(writer, ledger):
    first = await occupied(writer, ledger)
    queued = writer.submit([span()], [], 0)
    assert not await writer.stop(0.05)
    assert isinstance(first.result(), LedgerUnavailable)
    assert isinstance(queued.result(), LedgerUnavailable)
    assert ledger.groups == []


async def test_a_given_up_answer_does_not_disturb_the_group(writer, ledger):
    first = await occupied(writer, ledger)
    second = writer.submit([span("second")], [], 0)
    first.cancel()
    second.cancel()
    third = writer.submit([span("third")], [], 0)
    ledger.open.set()
    assert isinstance(await third, Settled)
    assert ledger.groups == [["first"], ["second", "third"]]


class ValueRefused(Exception):
    sqlstate = "22003"


@pytest.mark.parametrize("fault", [AttributeError("a fault of ours"), ValueRefused()])
async def test_a_whole_export_is_refused_for_good_only_where_its_values_are_at_fault(writer, ledger, fault):
    append = ledger.append

    async def append_nothing(batch, rejected, arrived_ns):
        if batch:
            raise fault
        return await append(batch, rejected, arrived_ns)

    ledger.append = append_nothing
    settled = await writer.submit([span("a"), span("b")], [], 0)
    if isinstance(fault, ValueRefused):
        assert [refused.reason for refused in settled.refused] == ["refused_by_ledger"] * 2
    else:
        assert isinstance(settled, LedgerUnavailable)
        assert ledger.rejected == []

"""The judge's loop: passes apart from each other, only while the seat is held, and cut off when it is lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import pytest

from finops.spans import LedgerUnavailable
from query_api.judge_report import JudgeReport
from query_api.judging import Clock, Judging, Pace

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


class Chair:
    """A seat that is held as the test says."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers: Iterator[bool | Exception] = iter(answers)
        self.left = 0

    async def hold(self) -> bool:
        answer = next(self.answers, True)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def leave(self) -> None:
        self.left += 1


class Once:
    """A pass made of a function."""

    def __init__(self, name: str, does: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self._does = does

    async def run(self, now: datetime) -> None:
        assert now == NOON
        await self._does()


class Bench:
    """A clock the test can move, and passes that count themselves."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.done: list[str] = []

    def judging(self, seat: Chair, *passes: Once, pass_max: float = 10.0) -> Judging:
        return Judging(seat, passes, Pace(0.01, pass_max), Clock(lambda: NOON, lambda: self.seconds))

    def counts(self, name: str) -> Once:
        async def does() -> None:
            self.done.append(name)

        return Once(name, does)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def fails(with_fault: Exception) -> Once:
    async def does() -> None:
        raise with_fault

    return Once("fails", does)


@pytest.mark.parametrize("fault", [ZeroDivisionError(), LedgerUnavailable("away"), TimeoutError()])
async def test_a_pass_that_fails_does_not_stop_the_others(bench: Bench, fault: Exception) -> None:
    judging = bench.judging(Chair(), fails(fault), bench.counts("after"))
    await judging.once()
    await judging.once()
    assert bench.done == ["after", "after"]
    failing, after = judging.states
    assert (failing.runs, failing.failures, failing.fault) == (2, 2, type(fault).__name__)
    assert (after.runs, after.failures, after.fault, after.succeeded_at) == (2, 0, None, NOON)


async def test_a_pass_that_hangs_is_cut_off(bench: Bench) -> None:
    async def for_ever() -> None:
        await asyncio.Event().wait()

    judging = bench.judging(Chair(), Once("hangs", for_ever), bench.counts("after"), pass_max=0.01)
    await judging.once()
    assert (judging.states[0].fault, bench.done) == ("TimeoutError", ["after"])


async def running(judging: Judging, until: Callable[[], bool]) -> None:
    """Runs the judge until the condition holds, then ends it."""
    task = asyncio.create_task(judging.run())
    async with asyncio.timeout(30):
        while not until():
            assert not task.done()
            await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_without_the_seat_nothing_is_judged_and_it_is_asked_for_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query_api.judging.SEAT_SECONDS", 0.001)
    seat = Chair(False, LedgerUnavailable("away"), False)
    judging = bench.judging(seat, bench.counts("pass"))
    await running(judging, lambda: bool(bench.done))
    assert seat.left == 1
    assert not judging.leads


async def test_a_round_is_cut_off_when_the_seat_is_lost(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("query_api.judging.SEAT_SECONDS", 0.001)
    begun, cut, numbers = asyncio.Event(), asyncio.Event(), count()

    async def long() -> None:
        if next(numbers):
            return
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()

    judging = bench.judging(Chair(True, True, LedgerUnavailable("away"), False), Once("long", long))
    await running(judging, cut.is_set)
    assert begun.is_set()


async def test_health_is_down_only_where_a_leaders_pass_has_long_failed(bench: Bench) -> None:
    judging = bench.judging(Chair(), bench.counts("well"), fails(ZeroDivisionError()))
    report = JudgeReport(judging)
    bench.seconds = 1000.0
    assert report.component()["status"] == "UP"
    judging.leads_since = 1000.0
    await judging.once()
    assert report.component()["status"] == "UP"
    bench.seconds = 1061.0
    await judging.once()
    told = report.component()
    assert told["status"] == "DOWN"
    assert told["details"] == {
        "leads": True,
        "passes": {
            "well": {"runs": 2, "failures": 0, "lastSuccess": NOON, "fault": None},
            "fails": {"runs": 2, "failures": 2, "lastSuccess": None, "fault": "ZeroDivisionError"},
        },
    }

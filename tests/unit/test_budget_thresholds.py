"""Each threshold is told once a period, whatever the order of spans, looks and restarts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from budget_world import NOW, USD, a_budget
from hypothesis import given
from hypothesis import strategies as st

from finops.budget_periods import PeriodRule, Unit, period_at
from finops.budget_thresholds import Firing, turn
from finops.budgets import Budget, Raise, Spend

amounts = st.integers(1, 4 * USD)


class Told:
    """What a database would remember of one budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.firings: list[Firing] = []

    def look(self, cost_pico: int, now: datetime, member: str = "", of: datetime | None = None) -> list[int]:
        """One look, over nothing that is remembered but the firings; the thresholds it told."""
        span = period_at(self.budget.rule, of or now)
        found = turn(self.budget, span, now, {member: Spend(cost_pico, 1)}, self.firings)
        assert not set(found.clear) & set(found.fire)
        self.firings = [one._replace(cleared_at=now) if one in found.clear else one for one in self.firings]
        self.firings += found.fire
        keys = [(one.member, one.period_start, one.threshold, one.limit_pico) for one in self.firings]
        assert len(keys) == len(set(keys))
        return [one.threshold for one in found.fire]


@given(st.lists(amounts, min_size=1, max_size=12), st.data())
def test_whatever_the_order_of_spans_and_looks_each_reached_threshold_is_told_once(
    costs: Sequence[int], data: st.DataObject
) -> None:
    told = Told(a_budget(10, thresholds=(1_000, 5_000, 8_000, 10_000, 15_000)))
    sofar, heard = 0, []
    for cost in data.draw(st.permutations(costs)):
        sofar += cost
        for _ in range(data.draw(st.integers(0, 2))):
            heard += told.look(sofar, NOW)
    heard += told.look(sofar, NOW)
    reached = [one for one in told.budget.thresholds if sofar * 100 >= one * told.budget.limit_pico // 100]
    assert sorted(heard) == reached


@given(st.lists(st.integers(-6 * USD, 6 * USD), max_size=30))
def test_spend_that_falls_and_rises_again_is_told_once_a_period(changes: Sequence[int]) -> None:
    told = Told(a_budget(10))
    sofar, heard = 0, []
    for change in changes:
        sofar += change
        heard += told.look(sofar, NOW)
        open_ones = {one.threshold for one in told.firings if one.cleared_at is None}
        assert all(sofar * 10_000 >= one * told.budget.limit_pico for one in open_ones)
    assert len(heard) == len(set(heard))


def test_the_next_period_is_told_anew_and_ends_what_stood() -> None:
    told = Told(a_budget(10))
    assert told.look(10 * USD, NOW) == [5_000, 8_000, 10_000]
    tomorrow = NOW + timedelta(days=1)
    assert told.look(6 * USD, tomorrow) == [5_000]
    standing = [one for one in told.firings if one.cleared_at is None]
    assert [one.threshold for one in standing] == [5_000]
    assert standing[0].period_start == period_at(told.budget.rule, tomorrow).start


def test_the_last_calls_of_a_period_are_told_after_it_has_ended() -> None:
    told = Told(a_budget(10))
    told.look(4 * USD, NOW)
    assert told.look(9 * USD, NOW + timedelta(days=1), of=NOW) == [5_000, 8_000]
    assert told.look(9 * USD, NOW + timedelta(days=1), of=NOW) == []
    assert all(one.cleared_at is not None for one in told.firings)


def test_a_raised_limit_is_told_when_it_is_reached_and_its_end_tells_nothing_twice() -> None:
    raised = Raise(20 * USD, NOW, NOW + timedelta(hours=2))
    told = Told(a_budget(10, raised=raised, thresholds=(10_000,)))
    assert told.look(11 * USD, NOW - timedelta(minutes=1)) == [10_000]
    assert told.look(11 * USD, NOW) == []
    assert told.firings[0].cleared_at is not None
    assert told.look(20 * USD, NOW + timedelta(hours=1)) == [10_000]
    assert told.look(21 * USD, NOW + timedelta(hours=3)) == []


def test_members_are_told_apart() -> None:
    told = Told(a_budget(10))
    assert told.look(10 * USD, NOW, "ann") == [5_000, 8_000, 10_000]
    assert told.look(6 * USD, NOW, "bob") == [5_000]


def test_a_rolling_window_is_told_again_only_after_its_length_and_a_fall() -> None:
    told = Told(a_budget(10, PeriodRule(Unit.ROLLING, rolling_hours=3), thresholds=(10_000,)))
    assert told.look(10 * USD, NOW) == [10_000]
    assert told.look(9 * USD, NOW + timedelta(hours=1)) == []
    assert told.look(10 * USD, NOW + timedelta(hours=2)) == []
    assert told.look(11 * USD, NOW + timedelta(hours=3)) == [10_000]
    assert told.look(11 * USD, NOW + timedelta(hours=9)) == []

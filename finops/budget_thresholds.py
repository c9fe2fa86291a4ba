"""Which thresholds are told now, each once a period, and which of those that were told are over.

A threshold counts again within its period only for another limit, and only once the spend has been below it: so a
limit that is raised is told when it is reached in its turn, and one that ends is not told twice. A rolling window has
no periods; there a threshold is told again after the spend has been below it and the window's length has passed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from finops.budget_periods import Span
from finops.budgets import Budget, Spend, reaches


class Firing(NamedTuple):
    """A threshold that was told."""

    member: str
    period_start: datetime
    """Of a rolling window: when it was told."""
    threshold: int
    limit_pico: int
    """The limit it was a part of."""
    spent_pico: int
    fired_at: datetime
    cleared_at: datetime | None = None
    """When the spend was below it again, or the period over."""


class Turn(NamedTuple):
    """What one look at a budget comes to."""

    fire: tuple[Firing, ...]
    clear: tuple[Firing, ...]


def limit_in(budget: Budget, span: Span, now: datetime) -> int:
    """The limit for a look at ``span`` from ``now``: of a period that is over, the limit at its end."""
    return budget.limit_at(min(now, span.end - timedelta(microseconds=1)))


def turn(budget: Budget, span: Span, now: datetime, spends: Mapping[str, Spend], told: Sequence[Firing]) -> Turn:
    """What to tell of one period, and what is over, given everything that was told of the budget.

    ``spends`` holds every member that has reached the lowest threshold or has a firing that is not cleared.
    """
    limit = limit_in(budget, span, now)
    fire = [
        _firing(budget, span, now, member, threshold, limit, spend.cost_pico)
        for member, spend in sorted(spends.items())
        for threshold in budget.thresholds
        if reaches(spend.cost_pico, threshold, limit) and not _told(budget, span, now, member, threshold, limit, told)
    ]
    clear = [one for one in told if _is_over(budget, span, now, spends.get(one.member, Spend()), limit, one)]
    return Turn(tuple(fire), tuple(clear))


def _firing(budget: Budget, span: Span, now: datetime, member: str, threshold: int, limit: int, spent: int) -> Firing:
    start = now if budget.rule.rolls else span.start
    return Firing(member, start, threshold, limit, spent, now)


def _told(
    budget: Budget, span: Span, now: datetime, member: str, threshold: int, limit: int, told: Sequence[Firing]
) -> bool:
    """Whether the threshold needs no telling: it stands, or was told of this limit in this period."""
    for one in told:
        if (one.member, one.threshold) != (member, threshold):
            continue
        if budget.rule.rolls:
            recent = now - one.fired_at < timedelta(hours=budget.rule.rolling_hours)
            if one.cleared_at is None or (recent and one.limit_pico == limit):
                return True
        elif one.period_start == span.start and (one.cleared_at is None or one.limit_pico == limit):
            return True
    return False


def _is_over(budget: Budget, span: Span, now: datetime, spend: Spend, limit: int, one: Firing) -> bool:
    if one.cleared_at is not None:
        return False
    if budget.rule.rolls:
        return one.threshold not in budget.thresholds or not reaches(spend.cost_pico, one.threshold, limit)
    if one.period_start != span.start:
        return one.period_start < span.start
    below = not reaches(spend.cost_pico, one.threshold, limit)
    return below or one.threshold not in budget.thresholds or span.end <= now

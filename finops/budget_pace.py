"""When a budget will be used up if spending goes on as it did in this period so far. An estimate, and never money."""

from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from finops.budgets import Standing, State

CALLS_MIN = 3
PART_MIN = Fraction(1, 10)
"""A pace is read from at least this many calls and this part of a period."""

OK = "ok"
INSUFFICIENT_HISTORY = "insufficientHistory"
EXCEEDED = "exceeded"
UNKNOWN = "unknown"
ROLLING = "rollingWindow"
OVER = "periodOver"


class Exhaustion(NamedTuple):
    """What is to be expected of a budget until its period ends."""

    status: str
    """ok; insufficientHistory: too early to say; exceeded: it is used up; unknown: the spend is not known;
    rollingWindow: no end to predict for; periodOver."""
    exhausts_at: datetime | None = None
    """None where it lasts, or ``status`` is not ok."""
    projected_pico: int | None = None
    """At the end of the period, at this pace."""


def exhaustion(standing: Standing, now: datetime) -> Exhaustion:
    """Extends the period's own pace to its end."""
    span, spend = standing.span, standing.spend
    if standing.state is State.EXCEEDED:
        return Exhaustion(EXCEEDED)
    if standing.state is State.UNKNOWN:
        return Exhaustion(UNKNOWN)
    if standing.budget.rule.rolls:
        return Exhaustion(ROLLING)
    if now >= span.end:
        return Exhaustion(OVER)
    elapsed, whole = now - span.start, span.end - span.start
    if spend.calls < CALLS_MIN or elapsed < whole * float(PART_MIN) or spend.cost_pico <= 0:
        return Exhaustion(INSUFFICIENT_HISTORY)
    projected = round(Fraction(spend.cost_pico) * _microseconds(whole) / _microseconds(elapsed))
    lasts = Fraction(standing.limit_pico, spend.cost_pico) * _microseconds(elapsed)
    exhausts_at = span.start + timedelta(microseconds=int(lasts)) if lasts < _microseconds(whole) else None
    return Exhaustion(OK, exhausts_at, projected)


def _microseconds(length: timedelta) -> int:
    return length // timedelta(microseconds=1)

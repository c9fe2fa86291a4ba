"""What the rest of a month may cost: several simple methods, the one that would have been right lately, and its error.

Estimates are floats and are never added to the ledger's money; whoever tells them says that they are estimates. The
interval comes from what the chosen method got wrong in the past, not from a formula about noise.
"""

from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from statistics import fmean, median
from typing import NamedTuple

WEEK = 7
DAYS_MIN = 7
"""Fewer whole days of history tell a run rate at most."""
BACKTEST_DAYS = 14
ORIGINS_MAX = 60
"""Days in the past from which the chosen method is asked to predict, for its interval."""
TREND_DAYS = 28
LOW, HIGH = 0.1, 0.9
"""The interval's quantiles: four times out of five the month should end inside."""

OK = "ok"
INSUFFICIENT_HISTORY = "insufficientHistory"

Days = Sequence[float]
Method = Callable[[Days, int], list[float]]
"""Whole days of history and how many to predict; from as little as a week of history."""


class Forecast(NamedTuple):
    """What the next days may cost."""

    status: str
    """ok, or insufficientHistory: then there is no interval, and without a single whole day no estimate either."""
    method: str | None
    days: tuple[float, ...]
    """Of each day that was asked for; empty without a method."""
    low: float | None
    """Of all of them together."""
    high: float | None
    errors: tuple[tuple[str, float], ...]
    """Of each method the mean absolute scaled error in the backtest, best first; 1 is as wrong as a copied day."""
    history_days: int


def run_rate(history: Days, count: int) -> list[float]:
    """The mean of the last week."""
    return [fmean(history[-WEEK:])] * count


def linear(history: Days, count: int) -> list[float]:
    """A line through the last four weeks that outliers do not pull (Theil and Sen); never below nothing."""
    recent = history[-TREND_DAYS:]
    slope = median((b - a) / (j - i) for (i, a), (j, b) in combinations(enumerate(recent), 2))
    level = median(value - slope * at for at, value in enumerate(recent))
    return [max(0.0, level + slope * (len(recent) + ahead)) for ahead in range(count)]


def weekday_mean(history: Days, count: int) -> list[float]:
    """The mean of up to four same weekdays."""
    by_weekday = [fmean(history[-WEEK + at :: -WEEK][:4]) for at in range(WEEK)]
    return [by_weekday[ahead % WEEK] for ahead in range(count)]


def seasonal_drift(history: Days, count: int) -> list[float]:
    """Last week again, with as much more or less as it had over the week before; never below nothing."""
    last, before = history[-WEEK:], history[-2 * WEEK : -WEEK]
    drift = (fmean(last) - fmean(before)) if len(before) == WEEK else 0.0
    return [max(0.0, last[ahead % WEEK] + drift * (1 + ahead // WEEK)) for ahead in range(count)]


METHODS: dict[str, Method] = {
    "runRate": run_rate,
    "linear": linear,
    "weekdayMean": weekday_mean,
    "seasonalDrift": seasonal_drift,
}


def forecast(history: Days, count: int) -> Forecast:
    """Predicts ``count`` days that follow ``history``, which holds the spend of whole days without a gap."""
    known = len(history)
    if known < DAYS_MIN:
        method = "runRate" if known else None
        return Forecast(
            INSUFFICIENT_HISTORY, method, tuple(run_rate(history, count)) if known else (), None, None, (), known
        )
    errors = backtest(history)
    name = errors[0][0] if errors else "runRate"
    days = METHODS[name](history, count)
    low, high = _interval(METHODS[name], history, count, sum(days))
    return Forecast(OK, name, tuple(days), low, high, errors, known)


def backtest(history: Days) -> tuple[tuple[str, float], ...]:
    """Each method's error had it been asked on each of the last days, the best first; empty where none could be."""
    origins = range(max(DAYS_MIN, len(history) - BACKTEST_DAYS), len(history))
    steps = [abs(b - a) for a, b in pairwise(history)]
    scale = fmean(steps) or 1.0
    found = []
    for name, method in METHODS.items():
        wrong = [
            abs(predicted - actual)
            for origin in origins
            for predicted, actual in zip(method(history[:origin], WEEK), history[origin : origin + WEEK], strict=False)
        ]
        if wrong:
            found.append((name, fmean(wrong) / scale))
    return tuple(sorted(found, key=lambda one: one[1]))


def _interval(method: Method, history: Days, count: int, total: float) -> tuple[float, float]:
    """What the sum over ``count`` days may be, by how wrong sums over as many days were, or as many as history allows.

    The widening for horizons that history does not reach, and for the few and overlapping sums it has, was chosen so
    that four of five simulated series end inside (``tests/unit/test_forecast.py``).
    """
    if not count:
        return total, total
    width = max(1, min(count, (len(history) - DAYS_MIN) // 3))
    origins = range(max(DAYS_MIN, len(history) - width - ORIGINS_MAX), len(history) - width + 1)
    wrong = sorted(sum(history[at : at + width]) - sum(method(history[:at], width)) for at in origins)
    if not wrong:
        wrong = sorted((value - fmean(history)) * width for value in history)
    wider = (count / width) ** 1.2 * (1 + width / len(wrong))
    low, high = (quantile(wrong, part) * wider for part in (LOW, HIGH))
    return max(0.0, total + min(low, 0.0)), total + max(high, 0.0)


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value below which ``part`` of ``ordered`` lies; outermost where there are few."""
    at = part * (len(ordered) + 1) - 1
    if at <= 0 or at >= len(ordered) - 1:
        return ordered[0] if at <= 0 else ordered[-1]
    below = int(at)
    return ordered[below] + (ordered[below + 1] - ordered[below]) * (at - below)

"""What an agent's baseline might be, by what its sessions burned; a suggestion with its evidence, never put by itself.

The value of an active hour is the median, over the sessions in it, of the highest rate each burned at: what the judge
will compare with. Robust statistics, so that one wild hour does not become normal.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import median
from typing import NamedTuple

from finops.money import PICO_PER_USD
from finops.ratios import decimal_of

EVIDENCE = timedelta(days=14)
"""Newer hours make the suggestion."""
WEEKLY_EVIDENCE = timedelta(days=35)
"""Newer hours make the hours of the week."""
DAYS_MIN, HOURS_MIN = 3, 20
"""Fewer days with an active hour, or fewer active hours, are no evidence."""
WEEKS_MIN = timedelta(days=21)
"""Hours of the week are told of agents seen for longer."""
SHRINK_HOURS = 4
"""An hour of the week counts as if it had been at the median so many times more."""
MADS, MAD_OF_NORMAL = 6, Fraction(14826, 10000)
"""So many standard deviations, as a median absolute deviation tells them, above the median is abnormal."""
OK, INSUFFICIENT = "ok", "insufficientHistory"


class AgentHour(NamedTuple):
    """One active hour of an agent."""

    hour: datetime
    pico_per_hour: int


class HourOfWeek(NamedTuple):
    """What an hour of the week is like; 0 begins on Monday at 00:00 UTC."""

    hour_of_week: int
    usd_per_hour: Decimal
    active_hours: int


class Suggestion(NamedTuple):
    """What is suggested for an agent, and why. None where there is not enough evidence."""

    org_id: str
    agent_id: str
    status: str
    baseline_usd_per_hour: Decimal | None
    threshold_usd_per_hour: Decimal | None
    """From here on a rate would be abnormal."""
    anomaly_multiplier: Decimal | None
    """The threshold in times of the baseline."""
    stated_usd_per_hour: Decimal | None
    """The baseline that holds now, put by somebody."""
    active_hours: int
    days: int
    since: datetime | None
    median_usd_per_hour: Decimal | None
    mad_usd_per_hour: Decimal | None
    hours_of_week: Sequence[HourOfWeek] = ()


def suggest(
    org_id: str,
    agent_id: str,
    hours: Sequence[AgentHour],
    stated_usd_per_hour: Decimal | None,
    multiplier: Decimal,
    now: datetime,
) -> Suggestion:
    """The suggestion of ``hours``, in any order; those too old, or yet to come, do not count."""
    recent = [one for one in hours if now - EVIDENCE <= one.hour <= now]
    days = len({one.hour.date() for one in recent})
    since = min((one.hour for one in recent), default=None)
    bare = Suggestion(
        org_id, agent_id, INSUFFICIENT, None, None, None, stated_usd_per_hour, len(recent), days, since, None, None
    )
    if not recent:
        return bare
    values = [Fraction(one.pico_per_hour) for one in recent]
    middle = median(values)
    spread = median([abs(value - middle) for value in values])
    bare = bare._replace(median_usd_per_hour=_usd(middle), mad_usd_per_hour=_usd(spread))
    if days < DAYS_MIN or len(recent) < HOURS_MIN or not middle:
        return bare
    threshold = max(Fraction(multiplier) * middle, middle + MADS * MAD_OF_NORMAL * spread)
    return bare._replace(
        status=OK,
        baseline_usd_per_hour=_usd(middle),
        threshold_usd_per_hour=_usd(threshold),
        anomaly_multiplier=decimal_of(threshold / middle),
        hours_of_week=_hours_of_week(hours, middle, now),
    )


def _hours_of_week(hours: Sequence[AgentHour], middle: Fraction, now: datetime) -> list[HourOfWeek]:
    """Medians by hour of the week, drawn towards the median of all where there are few; none before three weeks."""
    kept = [one for one in hours if now - WEEKLY_EVIDENCE <= one.hour <= now]
    if max(one.hour for one in kept) - min(one.hour for one in kept) < WEEKS_MIN:
        return []
    by_hour: dict[int, list[Fraction]] = {}
    for one in kept:
        by_hour.setdefault(one.hour.weekday() * 24 + one.hour.hour, []).append(Fraction(one.pico_per_hour))
    return [
        HourOfWeek(number, _usd((len(own) * median(own) + SHRINK_HOURS * middle) / (len(own) + SHRINK_HOURS)), len(own))
        for number, own in sorted(by_hour.items())
    ]


def _usd(pico: Fraction) -> Decimal:
    return decimal_of(pico / PICO_PER_USD)

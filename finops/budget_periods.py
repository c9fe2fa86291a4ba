"""The periods budgets are counted in: calendar hours to quarters on the clocks of a time zone, and rolling windows.

Calendar periods of one rule follow each other without a gap or an overlap, whatever the clocks do: a day may have 23
or 25 hours, and an hour in which the clocks move is cut where they do.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo

from finops.periods import first_instant, zone_named

ROLLING_HOURS_MIN = 1
ROLLING_HOURS_MAX = 90 * 24
EXACT_HOURS_MAX = 24
"""Longer windows begin with a whole quarter hour, so that sums serve them even when their oldest calls are gone."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
ALWAYS_INSIDE = timedelta(days=1)
"""A rolling window ends now; whatever is dated a little later, by a clock that is ahead, is inside all the same."""

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_QUARTER_HOUR = timedelta(minutes=15)
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


class Unit(StrEnum):
    """What a period is. The values are stored with budgets and told to users."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    ROLLING = "rolling"


class PeriodRule(NamedTuple):
    """How periods follow each other."""

    unit: Unit
    zone: str = "UTC"
    """IANA name; of no meaning for a rolling window."""
    week_starts_on: int = 0
    """0 is Monday."""
    rolling_hours: int = 0

    @property
    def rolls(self) -> bool:
        """Whether this is a window that moves with the clock, and never starts anew."""
        return self.unit is Unit.ROLLING


class Span(NamedTuple):
    """From ``start`` until before ``end``, both in UTC."""

    start: datetime
    end: datetime


def period_at(rule: PeriodRule, now: datetime) -> Span:
    """The period that ``now`` is in. Raises ``UnknownZone`` where the rule's zone does not exist."""
    if rule.rolls:
        start = now - timedelta(hours=rule.rolling_hours)
        if rule.rolling_hours > EXACT_HOURS_MAX:
            start -= (start - _ORIGIN) % _QUARTER_HOUR
        return Span(start, now + ALWAYS_INSIDE)
    zone = zone_named(rule.zone)
    if rule.unit is Unit.HOUR:
        return _hour_at(zone, now)
    today = now.astimezone(zone).date()
    # Where clocks go back over midnight, an instant may show a date whose period is over already.
    spans = (_around(rule, zone, today + _DAY * days) for days in (0, -1, 1))
    return next(span for span in spans if span.start <= now < span.end)


def period_before(rule: PeriodRule, span: Span) -> Span:
    """The calendar period that ended when ``span`` began."""
    return period_at(rule, span.start - _INSTANT)


def days_between(span: Span, zone_name: str) -> Iterator[tuple[date, Span]]:
    """The calendar days of ``span``, which begins and ends with a day; days the zone never had are left out."""
    zone = zone_named(zone_name)
    day, start = span.start.astimezone(zone).date(), span.start
    while start < span.end:
        end = first_instant(day + _DAY, zone)
        if end > start:
            yield day, Span(start, end)
        day, start = day + _DAY, max(start, end)


def _around(rule: PeriodRule, zone: ZoneInfo, day: date) -> Span:
    first, after = _first_days(rule, day)
    return Span(first_instant(first, zone), first_instant(after, zone))


def _first_days(rule: PeriodRule, day: date) -> tuple[date, date]:
    """The first day of the period that ``day`` is in, and of the next."""
    if rule.unit is Unit.DAY:
        return day, day + _DAY
    if rule.unit is Unit.WEEK:
        first = day - timedelta(days=(day.weekday() - rule.week_starts_on) % 7)
        return first, first + timedelta(days=7)
    months = 3 if rule.unit is Unit.QUARTER else 1
    first = day.replace(day=1, month=day.month - (day.month - 1) % months)
    over_year, month = divmod(first.month - 1 + months, 12)
    return first, first.replace(year=first.year + over_year, month=month + 1)


def _hour_at(zone: ZoneInfo, now: datetime) -> Span:
    local = now.astimezone(zone)
    start = now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    end = start + _HOUR
    # Bounds are looked for an instant inside, since clocks may move exactly where an hour begins.
    if _offset(zone, start) != _offset(zone, now):
        start = _clocks_move(zone, start, now)
    if _offset(zone, end - _INSTANT) != _offset(zone, now):
        end = _clocks_move(zone, now, end)
    return Span(start.astimezone(UTC), end.astimezone(UTC))


def _offset(zone: ZoneInfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()


def _clocks_move(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The first instant that has the offset of ``after``; the clocks move once in between."""
    while after - before > _INSTANT:
        middle = before + (after - before) / 2
        if _offset(zone, middle) == _offset(zone, before):
            before = middle
        else:
            after = middle
    return after

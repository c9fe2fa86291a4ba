"""Calendar periods: the trailing days of a report, in anyone's time zone, as instants.

A day starts at its first instant on the zone's clocks, so days of 23 and 25 hours are whole days. Which tables serve a
period is left to ``ledger``; what "now" is, to the caller.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS_MIN = 1
DAYS_MAX = 90
DAYS_DEFAULT = 7
_DAY, _MOMENT = timedelta(days=1), timedelta(microseconds=1)


class UnknownZone(ValueError):
    """No time zone of this IANA name; the message is the name."""


class Period(NamedTuple):
    """Consecutive calendar days in one time zone."""

    zone: str
    days: tuple[date, ...]
    starts: tuple[datetime, ...]
    """First instant of each day, in UTC."""
    end: datetime
    """First instant after the last day, in UTC."""

    @property
    def start(self) -> datetime:
        """First instant of the first day, in UTC."""
        return self.starts[0]


def utc_days_inside(start: datetime, end: datetime, until: datetime | None = None) -> tuple[datetime, datetime]:
    """The whole UTC days between two instants, and before the midnight ``until``: the first's start, the last's end.

    Both are ``end`` where there is none.
    """
    first = datetime.combine((start - _MOMENT).date() + _DAY, time.min, tzinfo=UTC)
    last = datetime.combine((end if until is None else min(end, until)).date(), time.min, tzinfo=UTC)
    return (first, last) if first < last else (end, end)


def zone_named(name: str) -> ZoneInfo:
    """The IANA time zone of this name; raises ``UnknownZone``."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UnknownZone(name) from None


def trailing_days(count: int, zone_name: str, now: datetime) -> Period:
    """The ``count`` calendar days that end with the day of ``now``; raises ``UnknownZone``, ``ValueError``."""
    if not DAYS_MIN <= count <= DAYS_MAX:
        raise ValueError(f"days must be between {DAYS_MIN} and {DAYS_MAX}, not {count}")
    zone = zone_named(zone_name)
    today = now.astimezone(zone).date()
    days = tuple(today - timedelta(days=back) for back in range(count - 1, -1, -1))
    starts = tuple(first_instant(day, zone) for day in days)
    return Period(zone_name, days, starts, first_instant(today + timedelta(days=1), zone))


def hours_of(period: Period) -> tuple[datetime, ...]:
    """First instant of every hour of every day, in UTC, counted from the day's start; a day's last may be shorter."""
    hour, found = timedelta(hours=1), list[datetime]()
    for start, end in zip(period.starts, (*period.starts[1:], period.end), strict=True):
        found += (start + index * hour for index in range(-((start - end) // hour)))
    return tuple(found)


def first_instant(day: date, zone: ZoneInfo) -> datetime:
    """The day's first instant on the zone's clocks, in UTC."""
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)

"""What a window of a question means: `today`, `7d`, `30m`, `lastmonth` or two instants, and the steps inside it.

Days, weeks (from Monday) and months are those of the asked zone's clocks: a day may have 23, 24, 25 or 23.5 hours. An
hour step never crosses midnight, so the hours of a day always add up to it. What "now" is, is left to the caller.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from finops.instants import read_instant
from finops.periods import first_instant, zone_named

STEPS = ("hour", "day", "week", "month")
STEPS_MAX = 10_000
"""Steps of one answer."""
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_TRAILING = re.compile(r"([1-9]\d{0,5})([mhdw])")
_RANGE = re.compile(r"([^,/]+)[,/]([^,/]+)")
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
WORDS = ("today", "yesterday", "week", "lastweek", "month", "lastmonth")
MEANING = f"{', '.join(WORDS)}, a number with m, h, d or w such as 7d, or two RFC 3339 instants with a comma between"


class BadWindow(ValueError):
    """The text names no window; the message says what would."""


class TimeWindow(NamedTuple):
    """From ``start`` until before ``end`` (both UTC), told in a zone's days."""

    zone: str
    start: datetime
    end: datetime


def read_window(text: str, zone_name: str, now: datetime, days_max: int) -> TimeWindow:
    """The window of ``text``; raises ``BadWindow``, ``finops.periods.UnknownZone``.

    A number of d or w is that many calendar days or weeks ending with today; of m or h, exactly that long until now.
    """
    start, end = _bounds(text, zone_named(zone_name), now)
    if not _EARLIEST <= start < end <= _LATEST:
        raise BadWindow("must end after it starts, and lie between the years 2000 and 2200")
    if end - start > days_max * _DAY + 2 * _HOUR:
        raise BadWindow(f"must not be longer than {days_max} days")
    return TimeWindow(zone_name, start, end)


def _bounds(text: str, zone: ZoneInfo, now: datetime) -> tuple[datetime, datetime]:
    today = now.astimezone(zone).date()
    if text in WORDS:
        first, after = _days_of(text, today)
        return first_instant(first, zone), first_instant(after, zone)
    if match := _TRAILING.fullmatch(text):
        count, unit = int(match[1]), match[2]
        try:
            if unit in "mh":
                return now - count * (_HOUR if unit == "h" else _HOUR / 60), now
            back = today - (count * (7 if unit == "w" else 1) - 1) * _DAY
            return first_instant(back, zone), first_instant(today + _DAY, zone)
        except OverflowError:
            raise BadWindow("must begin in the year 2000 or later") from None
    if match := _RANGE.fullmatch(text):
        return _instant(match[1]), _instant(match[2])
    raise BadWindow(f"must be {MEANING}")


def _days_of(word: str, today: date) -> tuple[date, date]:
    """The first day of a word, and the first day after it."""
    monday, first = today - today.weekday() * _DAY, today.replace(day=1)
    match word:
        case "today":
            return today, today + _DAY
        case "yesterday":
            return today - _DAY, today
        case "week":
            return monday, today + _DAY
        case "lastweek":
            return monday - 7 * _DAY, monday
        case "month":
            return first, today + _DAY
        case _:
            return (first - _DAY).replace(day=1), first


def _instant(text: str) -> datetime:
    try:
        found = read_instant(text.strip().replace(" ", "+"))
        if found.tzinfo is None:
            raise ValueError(text)
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadWindow("holds an instant that is not RFC 3339 with its offset, as 2026-03-10T00:00:00Z is") from None


def steps_of(window: TimeWindow, step: str) -> tuple[datetime, ...]:
    """First instant of every step, the first cut to the window's start; raises ``BadWindow`` beyond ``STEPS_MAX``."""
    found: list[datetime] = []
    for instant in _starts(window, step):
        if instant <= window.start:
            found = [window.start]
        else:
            found.append(instant)
        if len(found) > STEPS_MAX:
            raise BadWindow(f"has more than {STEPS_MAX} steps of one {step}")
    return tuple(found)


def _starts(window: TimeWindow, step: str) -> Iterator[datetime]:
    """Starts of steps before the window's end, from one at or before its start."""
    zone = zone_named(window.zone)
    day = window.start.astimezone(zone).date()
    if step == "week":
        day -= day.weekday() * _DAY
    elif step == "month":
        day = day.replace(day=1)
    while (instant := first_instant(day, zone)) < window.end:
        after = _next(day, step)
        if step == "hour":
            end = min(first_instant(after, zone), window.end)
            while instant < end:
                yield instant
                instant += _HOUR
        else:
            yield instant
        day = after


def _next(day: date, step: str) -> date:
    match step:
        case "week":
            return day + 7 * _DAY
        case "month":
            return (day.replace(day=1) + 32 * _DAY).replace(day=1)
        case _:
            return day + _DAY

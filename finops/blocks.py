"""Stretches of time longer than a quarter hour whose sums are kept by themselves, and how a period is made of them.

A block is over before it is summed up. Which blocks there are is the ledger's to say; this says which come next in a
calendar, and which of those that there are make up a period with the least to add. Whole UTC days need no blocks: they
have sums anyway.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple

from finops.periods import first_instant, utc_days_inside, zone_named

DAY_STEP, WEEK_STEP, SIX_HOURS_STEP = "day", "week", "sixHours"
_DAY, _SIX_HOURS = timedelta(days=1), timedelta(hours=6)
_LONG = timedelta(days=2)
"""Blocks of a week are longer, those of a day never."""
_SHORT = timedelta(hours=20)
"""Blocks of six hours are shorter, those of a day never."""
_EPOCH_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
YOUNG_DAYS = 2
"""The day that is not over, and the one whose block is not built yet."""
RANGES = 2
"""Ranges of days, and of quarter hours, that a query takes."""


class Stretch(NamedTuple):
    """From ``start`` until before ``end``, both UTC."""

    start: datetime
    end: datetime

    @property
    def is_utc_day(self) -> bool:
        """Whether the sums by day are its sums."""
        return self.start.time() == time.min and self.end - self.start == _DAY


class Cover(NamedTuple):
    """Where the sums of a period are read: each instant of it in exactly one place."""

    blocks: tuple[Stretch, ...]
    days: tuple[Stretch, ...]
    """``RANGES`` ranges of whole UTC days; some may be empty."""
    quarters: tuple[Stretch, ...]
    """``RANGES`` ranges of quarter hours; some may be empty."""


def following(step: str, zone: str, instant: datetime) -> Stretch:
    """The stretch of a calendar that ``instant`` is in; raises ``UnknownZone``."""
    if step == DAY_STEP:
        clocks = zone_named(zone)
        day = instant.astimezone(clocks).date()
        return Stretch(first_instant(day, clocks), first_instant(day + _DAY, clocks))
    width = 7 * _DAY if step == WEEK_STEP else _SIX_HOURS
    start = instant - (instant - _EPOCH_MONDAY) % width
    return Stretch(start, start + width)


def pieces(starts: Sequence[datetime], end: datetime, zone: str) -> list[Stretch]:
    """Steps as stretches no block may reach beyond, those longer than a day cut at the zone's midnights."""
    found: list[Stretch] = []
    for start, until in zip(starts, (*starts[1:], end), strict=True):
        if until - start > _DAY + timedelta(hours=2):
            found += _cut_at_midnights(Stretch(start, until), zone)
        elif start < until:
            found.append(Stretch(start, until))
    return found


def _cut_at_midnights(stretch: Stretch, zone: str) -> Iterable[Stretch]:
    at = stretch.start
    while at < stretch.end:
        until = min(following(DAY_STEP, zone, at).end, stretch.end)
        yield Stretch(at, until)
        at = until


def cover(asked: Sequence[Stretch], blocks: Iterable[Stretch], days_until: datetime | None) -> Cover:
    """The longest sums that make up stretches, given in order of time and apart from each other.

    Sums by UTC day are there until ``days_until``; None: for good. Where a few ranges are not enough, what lies between
    two of them is read from quarter hours, too: more to add, and the same sum.
    """
    known = sorted(blocks)
    exact = set(asked).intersection(known)
    taken = sorted(exact)
    gaps = _carve([one for one in asked if one not in exact], [b for b in known if b.end - b.start > _LONG], taken)
    days = _days(gaps, days_until)
    gaps = _without(gaps, days)
    gaps = _carve(gaps, [b for b in known if b.end - b.start < _SHORT], taken)
    quarters = _few(_joined(gaps))
    taken, days = ([one for one in some if not _inside(one, quarters)] for some in (taken, days))
    return Cover(tuple(sorted(taken)), _padded(days), _padded(quarters))


def lacks_days(asked: Iterable[Stretch], found: Cover) -> bool:
    """Whether days of a zone, more than those that are still young, have no block."""
    days = [one for one in asked if not one.is_utc_day and _SHORT < one.end - one.start < _LONG]
    return len(set(days).difference(found.blocks)) > YOUNG_DAYS


def _days(gaps: Sequence[Stretch], until: datetime | None) -> list[Stretch]:
    """The longest ranges of whole UTC days inside of gaps, in order of time."""
    found = [Stretch(*utc_days_inside(gap.start, gap.end, until)) for gap in gaps]
    ranges = _joined(one for one in found if one.start < one.end)
    longest = sorted(ranges, key=lambda one: one.start - one.end)[:RANGES]
    return sorted(longest)


def _carve(gaps: Sequence[Stretch], blocks: Sequence[Stretch], taken: list[Stretch]) -> list[Stretch]:
    """What is left of ``gaps`` beside the ``blocks`` that lie inside of one, which are added to ``taken``."""
    left: list[Stretch] = []
    starts = [block.start for block in blocks]
    for gap in gaps:
        at = gap.start
        for number in range(bisect_left(starts, gap.start), len(blocks)):
            block = blocks[number]
            if block.start >= gap.end:
                break
            if block.start < at or block.end > gap.end:
                continue
            left.append(Stretch(at, block.start))
            taken.append(block)
            at = block.end
        left.append(Stretch(at, gap.end))
    return [one for one in left if one.start < one.end]


def _without(gaps: Sequence[Stretch], ranges: Sequence[Stretch]) -> list[Stretch]:
    """What is left of ``gaps`` outside of ``ranges``."""
    left: list[Stretch] = []
    for gap in gaps:
        at = gap.start
        for one in ranges:
            if one.start < gap.end and at < one.end:
                left.append(Stretch(at, max(at, one.start)))
                at = min(one.end, gap.end)
        left.append(Stretch(at, gap.end))
    return [one for one in left if one.start < one.end]


def _joined(ranges: Iterable[Stretch]) -> list[Stretch]:
    """Ranges that touch, as one."""
    found: list[Stretch] = []
    for one in ranges:
        if found and found[-1].end == one.start:
            one = Stretch(found.pop().start, one.end)
        found.append(one)
    return found


def _few(ranges: list[Stretch]) -> list[Stretch]:
    """At most ``RANGES`` ranges, with the least between them added."""
    while len(ranges) > RANGES:
        near = min(range(1, len(ranges)), key=lambda at: ranges[at].start - ranges[at - 1].end)
        ranges[near - 1 : near + 1] = [Stretch(ranges[near - 1].start, ranges[near].end)]
    return ranges


def _inside(one: Stretch, ranges: Iterable[Stretch]) -> bool:
    return any(wide.start <= one.start and one.end <= wide.end for wide in ranges)


def _padded(ranges: Sequence[Stretch]) -> tuple[Stretch, ...]:
    nothing = Stretch(_EPOCH_MONDAY, _EPOCH_MONDAY)
    return (*ranges, *[nothing] * (RANGES - len(ranges)))

"""Periods made of blocks, days and quarter hours: every instant once, the longest sums first."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from finops.blocks import RANGES, Cover, Stretch, cover, following, lacks_days, pieces
from finops.periods import trailing_days

DAY, QUARTER = timedelta(days=1), timedelta(minutes=15)
NOW = datetime(2026, 4, 9, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Asia/Kolkata", "America/New_York", "Pacific/Chatham", "Europe/London"])


def calendar(step: str, zone: str, first: datetime, until: datetime) -> list[Stretch]:
    found = []
    while (block := following(step, zone, first)).end <= until:
        found.append(block)
        first = block.end
    return found


def parts(found: Cover) -> list[Stretch]:
    everything = [*found.blocks, *found.days, *found.quarters]
    return sorted(part for part in everything if part.start < part.end)


@given(
    ZONES, st.integers(0, 9000), st.integers(1, 5000), st.sampled_from([15, 60, 360, 1440, 10_080, 10**6]), st.data()
)
def test_every_instant_of_a_period_is_read_in_one_place_and_no_block_reaches_over_a_step(
    zone: str, first: int, length: int, step_minutes: int, data: st.DataObject
) -> None:
    start, end = NOW - first * QUARTER, NOW - first * QUARTER + length * QUARTER
    step = timedelta(minutes=step_minutes)
    steps = [start + number * step for number in range(-(-(end - start) // step))]
    asked = pieces(steps, end, zone) if len(steps) > 1 else [Stretch(start, end)]
    known = [
        block
        for name, of in [("day", zone), ("day", "Asia/Tokyo"), ("week", "UTC"), ("sixHours", "UTC")]
        for block in calendar(name, of, start - 8 * DAY, NOW)
        if not block.is_utc_day and data.draw(st.integers(0, 9)) != 0
    ]
    until = data.draw(st.sampled_from([None, datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 4, 9, tzinfo=UTC)]))
    found = cover(asked, known, until)
    read = parts(found)
    assert (read[0].start, read[-1].end) == (start, end)
    assert all(one.end == after.start for one, after in pairwise(read))
    assert (len(found.days), len(found.quarters)) == (RANGES, RANGES)
    assert all(any(piece.start <= block.start and block.end <= piece.end for piece in asked) for block in found.blocks)
    assert all(until is None or days.end <= until for days in found.days if days.start < days.end)


def test_days_of_a_zone_are_blocks_over_the_change_of_clocks_and_the_open_day_is_not() -> None:
    period = trailing_days(40, "America/New_York", NOW)
    asked = pieces(period.starts, period.end, period.zone)
    assert lacks_days(asked, cover(asked, [], None))
    blocks = calendar("day", period.zone, period.start, NOW)
    assert {block.end - block.start for block in blocks} == {23 * timedelta(hours=1), DAY}
    found = cover(asked, blocks, None)
    assert list(found.blocks) == asked[:-1]
    assert found.quarters[0] == asked[-1]
    assert not lacks_days(asked, found)


def test_a_quarter_of_a_year_is_made_of_weeks_days_and_six_hours() -> None:
    until = datetime(2026, 4, 9, tzinfo=UTC)
    weeks = calendar("week", "UTC", NOW - 100 * DAY, NOW)
    short = calendar("sixHours", "UTC", NOW - 3 * DAY, NOW)
    period = trailing_days(90, "UTC", NOW)
    found = cover([Stretch(period.start, period.end)], [*weeks, *short], until)
    lengths = [block.end - block.start for block in found.blocks]
    assert lengths == [7 * DAY] * 12 + [DAY / 4] * 2
    assert sum((days.end - days.start for days in found.days), timedelta()) == 5 * DAY
    assert found.quarters[0] == Stretch(NOW, period.end)


def test_utc_days_need_no_blocks() -> None:
    period = trailing_days(90, "UTC", NOW)
    asked = pieces(period.starts, period.end, "UTC")
    found = cover(asked, [], period.end)
    assert parts(found) == [Stretch(period.start, period.end)] == [found.days[0]]
    assert not lacks_days(asked, cover(asked, [], NOW - 50 * DAY))

"""The whole UTC days inside a period, and the edges that they leave."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from finops.periods import utc_days_inside

DAY = timedelta(days=1)
INSTANTS = st.timedeltas(timedelta(0), timedelta(days=3000)).map(lambda since: datetime(2020, 1, 1, tzinfo=UTC) + since)


@given(INSTANTS, st.timedeltas(timedelta(0), timedelta(days=100)))
def test_they_are_whole_inside_and_leave_less_than_a_day_on_either_side(start: datetime, length: timedelta) -> None:
    end = start + length
    first, last = utc_days_inside(start, end)
    if first == last:
        assert first == end
        assert length < 2 * DAY
        return
    assert (first.time(), last.time()) == (datetime.min.time(), datetime.min.time())
    assert start <= first < last <= end
    assert first - start < DAY
    assert end - last < DAY


def test_a_period_of_utc_days_has_no_edges() -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    assert utc_days_inside(start, start + 7 * DAY) == (start, start + 7 * DAY)


def test_days_whose_sums_are_not_there_yet_are_left_to_the_quarter_hours() -> None:
    start, end = datetime(2026, 3, 10, 18, 30, tzinfo=UTC), datetime(2026, 3, 15, 18, 30, tzinfo=UTC)
    inside = datetime(2026, 3, 11, tzinfo=UTC)
    assert utc_days_inside(start, end, inside + 2 * DAY) == (inside, inside + 2 * DAY)
    assert utc_days_inside(start, end, inside + 30 * DAY) == (inside, inside + 4 * DAY)
    assert utc_days_inside(start, end, inside) == (end, end)
    assert utc_days_inside(start, end, inside - 30 * DAY) == (end, end)

"""Windows are what people mean by them, and their steps tile them without a gap in every zone."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.time_windows import STEPS, BadWindow, TimeWindow, read_window, steps_of

NOW = datetime(2026, 3, 10, 12, 7, 30, tzinfo=UTC)
ZONES = sorted(available_timezones())
MEANT = {
    "today": ("2026-03-10", "2026-03-11"),
    "yesterday": ("2026-03-09", "2026-03-10"),
    "week": ("2026-03-09", "2026-03-11"),
    "lastweek": ("2026-03-02", "2026-03-09"),
    "month": ("2026-03-01", "2026-03-11"),
    "lastmonth": ("2026-02-01", "2026-03-01"),
    "1d": ("2026-03-10", "2026-03-11"),
    "7d": ("2026-03-04", "2026-03-11"),
    "2w": ("2026-02-25", "2026-03-11"),
}


@pytest.mark.parametrize(("text", "days"), MEANT.items())
def test_words_are_calendar_days_of_the_zone(text: str, days: tuple[str, str]) -> None:
    for name in ("UTC", "Asia/Kathmandu", "America/St_Johns"):
        zone = ZoneInfo(name)
        window = read_window(text, name, NOW, 400)
        shown = tuple(bound.astimezone(zone).isoformat()[:16] for bound in (window.start, window.end))
        assert shown == tuple(f"{day}T00:00" for day in days)


def test_minutes_and_hours_end_now_and_ranges_are_exact() -> None:
    assert read_window("30m", "UTC", NOW, 400) == TimeWindow("UTC", NOW - timedelta(minutes=30), NOW)
    assert read_window("12h", "Asia/Tokyo", NOW, 400).start == NOW - timedelta(hours=12)
    window = read_window("2026-03-01T01:00:00+01:00,2026-03-02T12:30:01Z", "UTC", NOW, 400)
    assert window.start == datetime(2026, 3, 1, tzinfo=UTC)
    assert window.end == datetime(2026, 3, 2, 12, 30, 1, tzinfo=UTC)


BAD = ["", "0d", "7x", "-1d", "999999w", "999999d", "today ", "2026-03-01", "2026-03-01,2026-03-02", "401d"]
BAD += ["2026-03-02T00:00:00Z,2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z,2026-03-01T00:00:00Z", "a,b", ",", "7d;"]
BAD += ["0001-01-01T00:00:00+23:59,2026-03-01T00:00:00Z", "1999-01-01T00:00:00Z,1999-01-02T00:00:00Z"]


@pytest.mark.parametrize("text", BAD)
def test_anything_else_is_refused_with_what_would_do(text: str) -> None:
    with pytest.raises(BadWindow, match=r"must|holds"):
        read_window(text, "UTC", NOW, 400)


@given(
    zone=st.sampled_from(ZONES),
    second=st.integers(946_684_800, 2_100_000_000),
    hours=st.integers(1, 24 * 40),
    step=st.sampled_from(STEPS),
)
def test_steps_begin_with_the_window_and_go_up(zone: str, second: int, hours: int, step: str) -> None:
    start = datetime.fromtimestamp(second, UTC)
    window = TimeWindow(zone, start, start + timedelta(hours=hours))
    steps = steps_of(window, step)
    assert steps[0] == window.start
    assert all(one < other for one, other in zip(steps, (*steps[1:], window.end), strict=True))
    if step == "hour":
        ends = (*steps[1:], window.end)
        assert all(end - begin <= timedelta(hours=1) for begin, end in zip(steps, ends, strict=True))
        assert set(steps_of(window, "day")) <= set(steps)


def test_lord_howes_days_of_half_hour_changes_have_all_their_hours() -> None:
    window = read_window("2026-04-03T13:00:00Z,2026-04-06T13:30:00Z", "Australia/Lord_Howe", NOW, 400)
    days, hours = steps_of(window, "day"), steps_of(window, "hour")
    assert [end - begin for begin, end in pairwise(days)] == [
        timedelta(hours=24),
        timedelta(hours=24.5),
    ]
    assert set(days) <= set(hours)


def test_a_window_of_too_many_steps_is_refused() -> None:
    with pytest.raises(BadWindow, match="10000 steps"):
        steps_of(TimeWindow("UTC", NOW, NOW + timedelta(days=420)), "hour")

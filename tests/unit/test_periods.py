"""Days of anyone's time zone, as instants."""

from datetime import UTC, date, datetime, timedelta

import pytest

from finops.periods import UnknownZone, hours_of, trailing_days


def test_the_trailing_days_end_today() -> None:
    week = trailing_days(7, "UTC", datetime(2026, 3, 10, 12, tzinfo=UTC))
    assert (week.days[0], week.days[-1]) == (date(2026, 3, 4), date(2026, 3, 10))
    assert (week.start, week.end) == (datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 11, tzinfo=UTC))


def test_today_is_the_zones_today() -> None:
    late = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    assert trailing_days(1, "Asia/Tokyo", late).days == (date(2026, 3, 11),)
    assert trailing_days(1, "America/New_York", late).days == (date(2026, 3, 10),)


def test_days_of_23_and_25_hours_are_whole_days() -> None:
    spring = trailing_days(1, "Europe/Berlin", datetime(2026, 3, 29, 12, tzinfo=UTC))
    autumn = trailing_days(1, "Europe/Berlin", datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert spring.end - spring.start == timedelta(hours=23)
    assert autumn.end - autumn.start == timedelta(hours=25)
    assert len(hours_of(spring)) == 23


def test_a_day_whose_midnight_does_not_exist_starts_at_its_first_instant() -> None:
    # Clocks in Havana go from 00:00 to 01:00 on 8 March 2026.
    havana = trailing_days(2, "America/Havana", datetime(2026, 3, 8, 18, tzinfo=UTC))
    assert havana.starts[1] == datetime(2026, 3, 8, 5, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "Europe/Lisbon", "America/St_Johns", "Pacific/Chatham", "UTC"])
def test_days_follow_each_other_without_gap_or_overlap(zone: str) -> None:
    period = trailing_days(90, zone, datetime(2026, 4, 20, tzinfo=UTC))
    bounds = [*period.starts, period.end]
    assert bounds == sorted(set(bounds))
    assert all(bound.minute % 15 == 0 and bound.second == 0 for bound in bounds)


@pytest.mark.parametrize("zone", ["Mars", "", "America", "../etc/passwd", "/etc/passwd", "x" * 5000, "\x00", "ü"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(UnknownZone):
        trailing_days(1, zone, datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("days", [0, 91, -1])
def test_other_numbers_of_days_are_refused(days: int) -> None:
    with pytest.raises(ValueError, match="days"):
        trailing_days(days, "UTC", datetime(2026, 1, 1, tzinfo=UTC))

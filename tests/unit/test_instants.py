"""A leap second that somebody states is the second after it; the year 2100 is no leap year."""

from datetime import UTC, datetime, timedelta

import pytest

from finops.instants import read_instant
from finops.periods import trailing_days
from finops.time_windows import BadWindow, read_window, steps_of
from query_api.bodies import BodyReader

NEW_YEAR = datetime(2017, 1, 1, tzinfo=UTC)
LEAP = [
    "2016-12-31T23:59:60Z", "2016-12-31T23:59:60.5Z", "2016-12-31T15:59:60-08:00", "2017-01-01T05:29:60+05:30",
]  # fmt: skip


@pytest.mark.parametrize("text", LEAP)
def test_a_leap_second_is_the_second_after_it(text: str) -> None:
    assert read_instant(text) == NEW_YEAR
    body = BodyReader({"effectiveFrom": text})
    assert (body.instant("effectiveFrom"), body.faults) == (NEW_YEAR, [])
    window = read_window(f"{text}/2017-01-02T00:00:00Z", "UTC", NEW_YEAR + timedelta(days=3), 9)
    assert (window.start, window.end) == (NEW_YEAR, NEW_YEAR + timedelta(days=1))


@pytest.mark.parametrize("text", ["2016-12-31T23:58:60Z", "2016-12-31T23:59:61Z", "9999-12-31T23:59:60Z", "12:60"])
def test_other_seconds_beyond_the_minute_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        read_instant(text)
    body = BodyReader({"effectiveFrom": text})
    assert body.instant("effectiveFrom") is None
    assert [fault.name for fault in body.faults] == ["effectiveFrom"]
    with pytest.raises(BadWindow):
        read_window(f"{text}/2017-01-02T00:00:00Z", "UTC", NEW_YEAR, 9)


def test_any_other_instant_is_as_it_is_written() -> None:
    assert read_instant("2026-03-10T00:00:00.25+01:00").isoformat() == "2026-03-10T00:00:00.250000+01:00"
    assert read_instant("2026-03-10").tzinfo is None


def test_february_of_2100_has_28_days() -> None:
    march = datetime(2100, 3, 2, 12, tzinfo=UTC)
    assert [f"{day:%m-%d}" for day in trailing_days(4, "Europe/Berlin", march).days] == [
        "02-27", "02-28", "03-01", "03-02",
    ]  # fmt: skip
    assert len(steps_of(read_window("2100-02-01T00:00:00Z/2100-03-01T00:00:00Z", "UTC", march, 90), "day")) == 28

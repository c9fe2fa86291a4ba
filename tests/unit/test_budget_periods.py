"""Periods of budgets: no gap, no overlap, whatever the clocks of a zone do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from finops.budget_periods import PeriodRule, Span, Unit, days_between, period_at, period_before
from finops.periods import UnknownZone

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # midnight that does not exist
    "America/Havana",  # midnight twice
    "America/St_Johns",  # clocks went back at one minute past midnight
    "Australia/Lord_Howe",  # half an hour
    "Asia/Kathmandu",
    "Pacific/Apia",  # a day that never was
    "Africa/Casablanca",
)
CALENDAR = [unit for unit in Unit if unit is not Unit.ROLLING]
rules = st.builds(PeriodRule, st.sampled_from(CALENDAR), st.sampled_from(ZONES), st.integers(0, 6))
instants = st.integers(0, 45 * 365 * 86_400).map(
    lambda seconds: datetime(1995, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@given(rules, instants)
@example(PeriodRule(Unit.DAY, "America/St_Johns"), at("2010-11-07T02:45:00"))
@example(PeriodRule(Unit.HOUR, "Australia/Lord_Howe"), at("2026-04-04T14:45:00"))
@example(PeriodRule(Unit.HOUR, "Australia/Lord_Howe"), at("2026-10-03T15:30:00"))
@example(PeriodRule(Unit.DAY, "Pacific/Apia"), at("2011-12-30T10:00:00"))
@example(PeriodRule(Unit.WEEK, "America/Havana"), at("2026-11-01T04:30:00"))
def test_periods_follow_each_other_without_gap_or_overlap(rule: PeriodRule, now: datetime) -> None:
    span = period_at(rule, now)
    assert span.start <= now < span.end
    before, after = period_before(rule, span), period_at(rule, span.end)
    assert before.end == span.start
    assert after.start == span.end
    assert before.start < before.end
    for inside in (span.start, span.start + (span.end - span.start) / 3, span.end - timedelta(microseconds=1)):
        assert period_at(rule, inside) == span


@given(rules, instants)
def test_calendar_periods_begin_at_the_first_moment_of_their_first_day(rule: PeriodRule, now: datetime) -> None:
    zone = ZoneInfo(rule.zone)
    start = period_at(rule, now).start
    if rule.unit is Unit.HOUR:
        assert start.astimezone(zone).minute in (0, 30)
        return
    day = start.astimezone(zone).date()
    assert (start - timedelta(microseconds=1)).astimezone(zone).date() < day
    if rule.unit is Unit.WEEK and day.weekday() != rule.week_starts_on:
        assert rule.zone == "Pacific/Apia"  # the week began on the day that never was
    if rule.unit is Unit.MONTH:
        assert day.day == 1
    if rule.unit is Unit.QUARTER:
        assert (day.day, day.month % 3) == (1, 1)


@given(st.sampled_from(ZONES), instants)
def test_the_days_of_a_month_add_up_to_the_month(zone: str, now: datetime) -> None:
    month = period_at(PeriodRule(Unit.MONTH, zone), now)
    days = list(days_between(month, zone))
    assert days[0][1].start == month.start
    assert days[-1][1].end == month.end
    assert all(one.end == other.start for (_, one), (_, other) in pairwise(days))
    assert all(period_at(PeriodRule(Unit.DAY, zone), span.start) == span for _, span in days)


@pytest.mark.parametrize(
    ("rule", "now", "span"),
    [
        (PeriodRule(Unit.DAY, "Europe/Berlin"), "2026-03-29T12:00", ("2026-03-28T23:00", "2026-03-29T22:00")),
        (PeriodRule(Unit.DAY, "Europe/Berlin"), "2026-10-25T12:00", ("2026-10-24T22:00", "2026-10-25T23:00")),
        (PeriodRule(Unit.HOUR, "Europe/Berlin"), "2026-10-25T00:30", ("2026-10-25T00:00", "2026-10-25T01:00")),
        (PeriodRule(Unit.HOUR, "Asia/Kathmandu"), "2026-10-25T00:30", ("2026-10-25T00:15", "2026-10-25T01:15")),
        (PeriodRule(Unit.WEEK, "UTC", 6), "2026-11-25T12:00", ("2026-11-22T00:00", "2026-11-29T00:00")),
        (PeriodRule(Unit.MONTH, "America/New_York"), "2026-11-01T03:00", ("2026-10-01T04:00", "2026-11-01T04:00")),
        (PeriodRule(Unit.QUARTER, "UTC"), "2026-12-31T23:59", ("2026-10-01T00:00", "2027-01-01T00:00")),
    ],
)
def test_known_periods(rule: PeriodRule, now: str, span: tuple[str, str]) -> None:
    assert period_at(rule, at(now)) == Span(at(span[0]), at(span[1]))


def test_a_rolling_window_reaches_back_its_hours_and_knows_no_zone() -> None:
    now = at("2026-03-29T12:00:00")
    assert period_at(PeriodRule(Unit.ROLLING, rolling_hours=24), now).start == at("2026-03-28T12:00:00")


def test_a_zone_that_does_not_exist_is_told() -> None:
    with pytest.raises(UnknownZone):
        period_at(PeriodRule(Unit.DAY, "Mars/Olympus_Mons"), at("2026-03-29T12:00:00"))

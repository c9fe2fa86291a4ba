"""What is suggested: the median of enough active hours, untouched by a wild one; and why, or why not."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from finops.baseline_suggestions import INSUFFICIENT, OK, AgentHour, Suggestion, suggest

NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)  # a Monday
USD = 10**12


def hours(values: list[float], every: int = 5) -> list[AgentHour]:
    """Active hours before now, the newest first."""
    return [AgentHour(NOW - timedelta(hours=1 + every * i), int(value * USD)) for i, value in enumerate(values)]


def suggested(active: list[AgentHour], stated: Decimal | None = None) -> Suggestion:
    return suggest("org", "agent", active, stated, Decimal(5), NOW)


def test_the_median_is_suggested_with_its_evidence() -> None:
    found = suggested(hours([0.4, 0.5, 0.6] * 9), Decimal(7))
    assert (found.status, found.active_hours, found.days, found.since) == (OK, 27, 6, NOW - timedelta(hours=131))
    assert (str(found.baseline_usd_per_hour), str(found.mad_usd_per_hour)) == ("0.5", "0.1")
    assert found.threshold_usd_per_hour == Decimal("2.5")
    assert (found.anomaly_multiplier, found.stated_usd_per_hour) == (Decimal(5), Decimal(7))


def test_what_varies_much_gets_a_higher_threshold() -> None:
    found = suggested(hours([0.1, 0.5, 1.5] * 9))
    assert str(found.threshold_usd_per_hour) == "4.05824", "0.5 + 6 x 1.4826 x 0.4"
    assert str(found.anomaly_multiplier) == "8.11648"


def test_too_little_is_no_evidence() -> None:
    for few in ([], hours([0.5] * 19), hours([0.5] * 30, every=1), hours([0.0] * 30)):
        found = suggested(few)
        assert (found.status, found.baseline_usd_per_hour, found.anomaly_multiplier) == (INSUFFICIENT, None, None)
    assert suggested([]).since is None
    assert suggested(hours([0.5] * 19)).median_usd_per_hour == Decimal("0.5"), "the evidence there is, is shown"


def test_what_is_old_or_yet_to_come_does_not_count() -> None:
    old = [one._replace(hour=one.hour - timedelta(days=20)) for one in hours([9.0] * 50)]
    ahead = [one._replace(hour=NOW + timedelta(days=1)) for one in hours([9.0] * 50)]
    assert suggested(hours([0.5] * 25) + old + ahead).baseline_usd_per_hour == Decimal("0.5")


def test_a_few_wild_hours_change_little() -> None:
    assert suggested(hours([0.5] * 25 + [500.0] * 5)).baseline_usd_per_hour == Decimal("0.5")


def test_hours_of_the_week_are_told_after_three_weeks_and_drawn_to_the_median() -> None:
    assert suggested(hours([0.5] * 100)).hours_of_week == []
    active = hours([0.5] * 200) + [AgentHour(NOW - timedelta(weeks=week), 2 * USD) for week in range(4)]
    by_hour = {one.hour_of_week: one for one in suggested(active).hours_of_week}
    monday_noon = by_hour[12]
    assert monday_noon.active_hours == 4 + len(
        [one for one in hours([0.5] * 200) if one.hour.weekday() * 24 + one.hour.hour == 12]
    )
    assert Decimal("0.5") < monday_noon.usd_per_hour < 2
    assert by_hour[11].usd_per_hour == Decimal("0.5")


@given(st.lists(st.integers(1, 10**15), min_size=30, max_size=60))
def test_the_threshold_is_never_below_the_multiple(values: list[int]) -> None:
    active = [AgentHour(NOW - timedelta(hours=1 + 4 * i), value) for i, value in enumerate(values)]
    found = suggested(active)
    assert found.anomaly_multiplier is not None
    assert found.anomaly_multiplier >= 5

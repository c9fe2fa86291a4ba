"""The burn rate, the ratio to the baseline and when it became abnormal: exact, with a fixed divisor."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.anomalies import anomalies, fastest_first, judge
from finops.burn import SlotSpend, anomaly_ratio, burn_rate_usd_per_hour, crossed_at, severity, threshold_pico
from finops.ratios import decimal_of, plain, share
from finops.reports import SessionBurn

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
USD = 10**12


def session(spend_pico: int | None, baseline: str | None = "0.5", name: str = "s") -> SessionBurn:
    per_hour = None if baseline is None else Decimal(baseline) * USD
    slots = (
        () if spend_pico is None else (SlotSpend(NOON, spend_pico // 2), SlotSpend(NOON, spend_pico - spend_pico // 2))
    )
    return SessionBurn("org", name, "agent", spend_pico, 2, 0, NOON, NOON, per_hour, slots)


def test_the_first_call_of_five_cents_is_thirty_cents_an_hour() -> None:
    assert str(burn_rate_usd_per_hour(USD // 20, 600)) == "0.3"


def test_a_rate_that_never_ends_is_told_to_twelve_decimals() -> None:
    assert str(burn_rate_usd_per_hour(USD, 70)) == "51.428571428571"


@given(st.integers(0, 10**18), st.integers(1, 360))
def test_the_rate_is_spend_over_the_whole_window(spend_pico: int, slots: int) -> None:
    exact = Fraction(spend_pico * 3600, slots * 10 * USD)
    assert abs(Fraction(burn_rate_usd_per_hour(spend_pico, slots * 10)) - exact) <= Fraction(1, 2 * USD)


def test_the_missions_ratio() -> None:
    judged = judge(session(7 * USD // 10), 600, Decimal(5))
    assert (str(judged.burn_rate_usd_per_hour), str(judged.ratio), judged.severity) == ("4.2", "8.4", "warning")


def test_without_a_baseline_above_zero_there_is_no_ratio() -> None:
    assert anomaly_ratio(Decimal(4), None) is None
    assert anomaly_ratio(Decimal(4), Decimal(0)) is None
    assert judge(session(USD, None), 600, Decimal(5)).severity is None


def test_unknown_spend_is_an_unknown_rate() -> None:
    judged = judge(session(None), 600, Decimal(5))
    assert (judged.burn_rate_usd_per_hour, judged.ratio, judged.severity) == (None, None, None)


@pytest.mark.parametrize(
    ("ratio", "found"), [("4.999999", None), ("5", "warning"), ("9.99", "warning"), ("10", "critical")]
)
def test_severity_from_the_multiplier_on(ratio: str, found: str | None) -> None:
    assert severity(Decimal(ratio), Decimal(5)) == found


def test_an_anomaly_opens_in_the_slot_that_reached_the_threshold() -> None:
    slots = [SlotSpend(NOON + timedelta(seconds=10 * i), USD // 10) for i in range(6)]
    reached = threshold_pico(Decimal("0.5"), Decimal(5), 600)
    assert reached == 416_666_666_667
    assert crossed_at(slots, reached) == NOON + timedelta(seconds=40)
    assert crossed_at(slots[:4], reached) is None


def test_burn_rates_are_told_fastest_first_and_the_unknown_last() -> None:
    judged = [judge(session(spend, name=str(spend)), 600, Decimal(5)) for spend in (None, 1, USD, 0)]
    assert [one.session.session_id for one in fastest_first(judged)] == [str(USD), "1", "0", "None"]


def test_anomalies_are_told_worst_ratio_first() -> None:
    judged = [judge(session(USD, name="a"), 600, Decimal(5)), judge(session(USD, "0.1", "b"), 600, Decimal(5))]
    assert [one.session.session_id for one in anomalies(judged)] == ["b", "a"]


@given(st.fractions(min_value=-(10**6), max_value=10**6))
def test_a_fraction_is_told_exactly_where_it_ends(exact: Fraction) -> None:
    told = decimal_of(exact)
    assert "E" not in format(told, "f")
    assert abs(Fraction(told) - exact) <= Fraction(1, 2 * 10**12)
    denominator = exact.denominator
    while denominator % 2 == 0:
        denominator //= 2
    while denominator % 5 == 0:
        denominator //= 5
    if denominator == 1:
        assert Fraction(told) == exact


def test_a_share_of_nothing_is_unknown() -> None:
    assert share(0, 0) is None
    assert share(None, 5) is None
    assert str(share(1, 4)) == "0.25"
    assert str(plain(Decimal("1E+3"))) == "1000"

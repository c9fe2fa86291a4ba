"""The burn rate, the ratio to the baseline and when it became abnormal: exact, with a fixed divisor."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from finops.burn import SlotSpend, anomaly_ratio, burn_rate_usd_per_hour, crossed_at, threshold_pico
from finops.ratios import decimal_of, plain, share

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
USD = 10**12


def test_the_first_call_of_five_cents_is_thirty_cents_an_hour() -> None:
    assert str(burn_rate_usd_per_hour(USD // 20, 600)) == "0.3"


def test_a_rate_that_never_ends_is_told_to_twelve_decimals() -> None:
    assert str(burn_rate_usd_per_hour(USD, 70)) == "51.428571428571"


@given(st.integers(0, 10**18), st.integers(1, 360))
def test_the_rate_is_spend_over_the_whole_window(spend_pico: int, slots: int) -> None:
    exact = Fraction(spend_pico * 3600, slots * 10 * USD)
    assert abs(Fraction(burn_rate_usd_per_hour(spend_pico, slots * 10)) - exact) <= Fraction(1, 2 * USD)


def test_the_missions_ratio() -> None:
    assert str(anomaly_ratio(burn_rate_usd_per_hour(7 * USD // 10, 600), Decimal("0.5"))) == "8.4"


def test_without_a_baseline_above_zero_there_is_no_ratio() -> None:
    assert anomaly_ratio(Decimal(4), None) is None
    assert anomaly_ratio(Decimal(4), Decimal(0)) is None
    assert anomaly_ratio(None, Decimal(1)) is None


def test_an_anomaly_opens_in_the_slot_that_reached_the_threshold() -> None:
    slots = [SlotSpend(NOON + timedelta(seconds=10 * i), USD // 10) for i in range(6)]
    reached = threshold_pico(Decimal("0.5"), Decimal(5), 600)
    assert reached == 416_666_666_667
    assert crossed_at(slots, reached) == NOON + timedelta(seconds=40)
    assert crossed_at(slots[:4], reached) is None


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

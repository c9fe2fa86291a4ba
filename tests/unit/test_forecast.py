"""Forecasts: known series with known answers, the method that was right wins, and the interval keeps its word."""

import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.forecast import DAYS_MIN, METHODS, backtest, forecast, quantile

WEEKLY = [10.0, 20.0, 30.0, 40.0, 50.0, 5.0, 1.0]


def test_without_a_week_of_history_there_is_a_run_rate_and_no_interval() -> None:
    found = forecast([2.0, 4.0], 3)
    assert (found.status, found.method, found.days, found.low) == ("insufficientHistory", "runRate", (3.0,) * 3, None)


def test_without_a_day_there_is_nothing() -> None:
    found = forecast([], 3)
    assert (found.status, found.method, found.days) == ("insufficientHistory", None, ())


def test_a_line_is_extended_as_a_line() -> None:
    found = forecast([float(10 + 3 * day) for day in range(30)], 4)
    assert found.method == "linear"
    assert found.days == pytest.approx((100, 103, 106, 109))
    assert (found.low, found.high) == pytest.approx((418, 418))


def test_a_week_that_repeats_is_repeated_in_step() -> None:
    history = (WEEKLY * 6)[:38]
    found = forecast(history, 7)
    assert found.method in ("weekdayMean", "seasonalDrift")
    assert found.days == pytest.approx((WEEKLY * 7)[38:45])
    assert found.errors[0][1] == pytest.approx(0)


def test_one_wild_day_does_not_bend_the_line() -> None:
    history = [10.0] * 28
    history[20] = 5000.0
    assert METHODS["linear"](history, 2) == pytest.approx([10, 10])


@pytest.mark.parametrize("kind", ["noise", "week", "trend"])
def test_four_of_five_series_end_inside_the_interval(kind: str) -> None:
    inside, asked = 0, 200
    for seed in range(asked):
        chance = random.Random(seed)
        history, actual = series(kind, chance, days=chance.choice((20, 40, 90)), ahead=chance.choice((3, 10, 20)))
        found = forecast(history, len(actual))
        assert found.low is not None
        assert found.high is not None
        inside += found.low <= sum(actual) <= found.high
    assert 0.70 * asked <= inside <= 0.90 * asked, (kind, inside)


def series(kind: str, chance: random.Random, days: int, ahead: int) -> tuple[Sequence[float], Sequence[float]]:
    levels: dict[str, Callable[[int], float]] = {
        "noise": lambda day: 100 * chance.lognormvariate(0, 0.4),
        "week": lambda day: (100 if day % 7 < 5 else 20) * chance.lognormvariate(0, 0.25),
        "trend": lambda day: (50 + 2 * day) * chance.lognormvariate(0, 0.2),
    }
    whole = [levels[kind](day) for day in range(days + ahead)]
    return whole[:days], whole[days:]


@given(st.lists(st.floats(0, 1e9), max_size=60), st.integers(0, 31))
def test_every_history_has_an_answer_in_order(history: list[float], count: int) -> None:
    found = forecast(history, count)
    assert (found.status == "ok") == (len(history) >= DAYS_MIN)
    assert len(found.days) == (count if history else 0)
    assert all(math.isfinite(day) and day >= 0 for day in found.days)
    if found.low is not None and found.high is not None:
        total = sum(found.days)
        assert 0 <= found.low <= total * (1 + 1e-9) + 1e-6
        assert total <= found.high * (1 + 1e-9) + 1e-6


def test_the_backtest_names_every_method_the_best_first() -> None:
    errors = backtest(WEEKLY * 5)
    assert {name for name, _ in errors} == set(METHODS)
    assert [error for _, error in errors] == sorted(error for _, error in errors)


def test_quantiles_of_few_are_the_outermost() -> None:
    assert [quantile([1.0, 2.0, 3.0], part) for part in (0.1, 0.5, 0.9)] == [1.0, 2.0, 3.0]

"""What is abnormal and what becomes of it: no alarm for nothing, one for what lasts, and an end that is an end."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.anomalies import BASELINE_CHANGED, RECOVERED, Anomaly, Change, next_step
from finops.anomaly_rules import Evidence, Rule, Rules, Severity, find
from finops.burn import SlotSpend

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
USD = 10**12
BASELINE = Decimal(USD) / 2
RULES = Rules()
"""With half a dollar an hour and five times that, 5/12 of a dollar in ten minutes is abnormal."""


def evidence(spend: float | None, **changes: Any) -> Evidence:
    """A session that spent these dollars in ten minutes, in ten equal calls, and before no more than normal."""
    spend_pico = None if spend is None else int(spend * USD)
    slots = tuple(SlotSpend(NOON - timedelta(seconds=10 * i), (spend_pico or 0) // 10) for i in range(10, 0, -1))
    plain: dict[str, Any] = {
        "org_id": "org",
        "session_id": "session",
        "agent_id": "agent",
        "spend_pico": spend_pico,
        "calls": 10,
        "unpriced_calls": 0,
        "short_pico": 0,
        "long_pico": spend_pico or 0,
        "largest_pico": (spend_pico or 0) // 10,
        "last_seen_at": NOON,
        "slots": slots,
        "baseline_pico_per_hour": BASELINE,
    }
    return Evidence(**plain | changes)


def dear(spend: float = 2.0, **changes: Any) -> Evidence:
    """A session of three dollars an hour that spent 1.70 of its two dollars lately, nearly all by one call."""
    plain = {"short_pico": 17 * USD // 10, "largest_pico": 16 * USD // 10, "baseline_pico_per_hour": Decimal(3 * USD)}
    return evidence(spend, **plain | changes)


CHEAP = {"short_pico": USD, "largest_pico": 8 * USD // 10, "baseline_pico_per_hour": Decimal(3 * USD) / 2}
WARNING, URGENT, SUSTAINED, SINGLE = (
    (Severity.WARNING, Rule.RATE),
    (Severity.CRITICAL, Rule.URGENT),
    (Severity.CRITICAL, Rule.SUSTAINED),
    (Severity.WARNING, Rule.SINGLE_CALL),
)

FOUND = {
    "the multiple even without the dearest of few calls": (evidence(0.47, calls=5), WARNING),
    "the multiple only with the dearest of few calls": (evidence(0.45, calls=5), None),
    "of many calls the rest is half of normal": (evidence(0.45, largest_pico=40 * USD // 100), WARNING),
    "of many calls the rest is less than that": (evidence(0.45, largest_pico=41 * USD // 100), None),
    "less than the multiple": (evidence(0.41), None),
    "ten times the multiple": (evidence(4.2), URGENT),
    "both windows": (evidence(1.5, short_pico=USD // 4, long_pico=3 * USD // 2), SUSTAINED),
    "the short window alone": (evidence(1.0, short_pico=USD), WARNING),
    "calls so dear that five minutes tell it": (dear(), WARNING),
    "dear, but less than a third above the multiple": (dear(short_pico=166 * USD // 100), None),
    "a crowd of calls, none of them dear": (dear(largest_pico=62 * USD // 100), None),
    "one dear call and hardly another": (dear(1.7, largest_pico=161 * USD // 100), None),
    "dear, and a dollar": (dear(1.1, **CHEAP), WARNING),
    "dear, but less than a dollar": (dear(1.1, **CHEAP | {"short_pico": USD - 1}), None),
    "two calls": (evidence(4.9, calls=2, largest_pico=2 * USD), None),
    "less than ten cents": (evidence(0.09, baseline_pico_per_hour=Decimal(1)), None),
    "one call of five dollars": (evidence(5.0, calls=1, largest_pico=5 * USD, baseline_pico_per_hour=None), SINGLE),
    "one call of almost five": (evidence(4.99, calls=1, largest_pico=5 * USD - 1, baseline_pico_per_hour=None), None),
    "no baseline": (evidence(4.0, baseline_pico_per_hour=None), None),
    "a baseline of nothing": (evidence(4.0, baseline_pico_per_hour=Decimal(0)), None),
    "nothing has a price": (evidence(None), None),
    "a multiplier of the agent's own": (evidence(0.5, own_multiplier=Decimal(7)), None),
    "a lower one": (evidence(0.2, own_multiplier=Decimal(2)), WARNING),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_is_found(case: str) -> None:
    told, found = FOUND[case]
    assert find(told, RULES) == found


def opened(told: Evidence | None = None, at: datetime = NOON) -> Anomaly:
    step = next_step(None, told or evidence(0.7), RULES, at)
    assert step is not None
    assert step.change is Change.OPENED
    return step.anomaly


def looked(standing: Anomaly, told: Evidence, at: datetime) -> tuple[Change, Anomaly]:
    step = next_step(standing, told, RULES, at)
    assert step is not None
    return step.change, step.anomaly


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_it_opens_with_the_slot_that_made_it_abnormal() -> None:
    anomaly = opened()
    assert anomaly.opened_at == NOON - timedelta(seconds=50), "six calls of seven cents reach 5/12 of a dollar"
    assert (str(anomaly.burn_rate_usd_per_hour), str(anomaly.ratio)) == ("4.2", "8.4")
    dear = evidence(5.0, calls=1, largest_pico=5 * USD, slots=(SlotSpend(NOON - timedelta(seconds=70), 5 * USD),))
    assert opened(dear).opened_at == NOON - timedelta(seconds=70)


def test_it_stays_open_while_the_rate_is_not_clearly_lower() -> None:
    change, anomaly = looked(opened(), evidence(0.34), at(5))
    assert (change, anomaly.below_seconds) == (Change.KEPT, None), "0.34 is more than 4/5 of 5/12"
    assert anomaly.peak_ratio == Decimal("8.4")


def test_it_closes_after_a_minute_below() -> None:
    anomaly, seconds = opened(), 0
    while True:
        seconds += 5
        change, anomaly = looked(anomaly, evidence(0.33), at(seconds))
        if change is Change.CLOSED:
            break
    assert (seconds, anomaly.closed_at, anomaly.close_reason) == (65, at(65), RECOVERED)


def test_a_moment_above_begins_the_minute_again() -> None:
    _, low = looked(opened(), evidence(0.33), at(5))
    _, low = looked(low, evidence(0.33), at(14))
    assert low.below_seconds == 9
    assert looked(low, evidence(0.35), at(15))[1].below_seconds is None


def test_time_in_which_nobody_looked_does_not_close_it() -> None:
    _, low = looked(opened(), evidence(0.33), at(5))
    change, low = looked(low, evidence(0.33), at(3600))
    assert (change, low.below_seconds) == (Change.KEPT, 10)


def test_a_clock_that_jumps_back_neither_closes_nor_counts() -> None:
    _, low = looked(opened(), evidence(0.33), at(5))
    _, low = looked(low, evidence(0.33), at(-3600))
    assert low.below_seconds == 0
    assert looked(low, evidence(0.33), at(-3590))[1].below_seconds == 10


def closed(at_seconds: float = 65) -> Anomaly:
    return opened()._replace(closed_at=at(at_seconds), close_reason=RECOVERED)


def test_it_does_not_open_again_at_once_unless_twice_as_bad() -> None:
    assert next_step(closed(), evidence(0.7), RULES, at(600)) is None
    assert next_step(closed(), evidence(0.7), RULES, at(-600)) is None, "nor for a clock that jumped back"
    assert next_step(closed(), evidence(1.4), RULES, at(600)) is not None
    assert next_step(closed(), evidence(0.7), RULES, at(665)) is not None


def test_another_dear_call_is_always_news() -> None:
    dear = evidence(6.0, calls=1, largest_pico=6 * USD)
    step = next_step(closed(), dear, RULES, at(70))
    assert step is not None
    assert step.anomaly.rule is Rule.SINGLE_CALL


def test_it_gets_worse_once_and_never_better_while_it_is_open() -> None:
    change, anomaly = looked(opened(), evidence(4.2), at(5))
    assert (change, anomaly.severity, anomaly.rule) == (Change.WORSENED, *URGENT)
    change, anomaly = looked(anomaly, evidence(4.3), at(10))
    assert (change, anomaly.severity) == (Change.KEPT, Severity.CRITICAL)
    change, anomaly = looked(anomaly, evidence(0.47), at(15))
    assert (change, anomaly.severity, anomaly.peak_spend_pico) == (Change.KEPT, Severity.CRITICAL, int(4.3 * USD))


def test_a_baseline_put_higher_ends_it_at_once_and_a_lower_one_does_not() -> None:
    change, anomaly = looked(opened(), evidence(0.7, baseline_pico_per_hour=Decimal(USD) * 85 / 100), at(5))
    assert (change, anomaly.close_reason) == (Change.CLOSED, BASELINE_CHANGED)
    assert looked(opened(), evidence(0.7, baseline_pico_per_hour=Decimal(USD) / 4), at(5))[0] is Change.KEPT
    assert looked(opened(), evidence(0.7, baseline_pico_per_hour=None), at(5))[0] is Change.CLOSED
    again = next_step(anomaly, evidence(0.7), RULES, at(10))
    assert again is not None, "what an operator closed is no recovery"


spends = st.lists(st.one_of(st.none(), st.floats(0, 20)), max_size=60)


@given(spends, st.lists(st.floats(-7200, 7200), min_size=60, max_size=60))
def test_whatever_comes_it_opens_and_closes_in_turns(amounts: list[float | None], jumps: list[float]) -> None:
    standing: Anomaly | None = None
    for spend, seconds in zip(amounts, jumps, strict=False):
        step = next_step(standing, evidence(spend), RULES, at(seconds))
        is_open = standing is not None and standing.closed_at is None
        assert (step is None or step.change is Change.OPENED) is not is_open
        if step is not None:
            assert (step.anomaly.closed_at is None) is (step.change is not Change.CLOSED)
            standing = step.anomaly

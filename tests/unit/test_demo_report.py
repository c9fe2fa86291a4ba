"""The demo's comparison notices one token and one digit, and its tables show what was compared."""

from decimal import Decimal
from typing import Any

import pytest

from standalone.demo_report import COUNTS, Spend, differences, figures_compared, tables
from standalone.table_text import Ink


def figures(calls: int, tokens: int, cost: str) -> dict[str, Any]:
    return {**dict.fromkeys(COUNTS, tokens), "calls": calls, "costUsd": Decimal(cost), "unpricedCalls": 0}


@pytest.fixture
def bill() -> dict[str, Any]:
    one, two = figures(2, 300, "0.10000000000125"), figures(1, 100, "0.2")
    return {
        "byAgent": {"ann": {**one, "costUsd": "0.10000000000125"}, "bob": {**two, "costUsd": "0.2"}},
        "byModel": {"m1": {**figures(3, 400, "0"), "costUsd": "0.30000000000125"}},
        "bySession": {"s1": {"calls": 2, "costUsd": "0.10000000000125"}},
        "byOperation": {"embeddings": {"costUsd": "0"}},
        "total": {**figures(3, 400, "0"), "costUsd": "0.30000000000125", "cacheDiscountUsd": "0.010"},
    }


@pytest.fixture
def spend() -> Spend:
    session = {"sessionId": "s1", "agentId": "ann", "calls": 2, "spendUsd": Decimal("0.10000000000125")}
    window = {"windowSeconds": 600, "burnRateUsdPerHour": Decimal("0.6"), "baselineUsdPerHour": None}
    return Spend(
        by_agent=[
            {"agentId": "bob", **figures(1, 100, "0.2")},
            {"agentId": "ann", **figures(2, 300, "0.10000000000125")},
        ],
        by_model=[{"modelId": "m1", **figures(3, 400, "0.30000000000125")}],
        burning=[session | window, session | window | {"sessionId": "not on the bill"}],
        anomalies=[{"sessionId": "s1", "anomalyRatio": Decimal("8.4")}],
        roi={"promptCacheSavingsUsd": Decimal("0.01"), "embeddingCostUsd": 0},
    )


def test_equal_figures_make_no_difference(spend: Spend, bill: dict[str, Any]) -> None:
    assert differences(spend, bill) == []
    assert figures_compared(bill) == 7 * (2 + 1 + 1) + 2 + 2


def test_the_last_digit_counts(spend: Spend, bill: dict[str, Any]) -> None:
    bill["byAgent"]["ann"]["costUsd"] = "0.10000000000124"
    [difference] = differences(spend, bill)
    assert str(difference) == "agent ann costUsd: agent-finops 0.10000000000125, billed 0.10000000000124"


@pytest.mark.parametrize("figure", COUNTS)
def test_one_token_counts(figure: str, spend: Spend, bill: dict[str, Any]) -> None:
    bill["byModel"]["m1"][figure] += 1
    assert [(found.place, found.figure) for found in differences(spend, bill)] == [("model m1", figure)]


def test_a_saving_that_is_not_the_discount_on_the_bill_is_a_difference(spend: Spend, bill: dict[str, Any]) -> None:
    bill["total"]["cacheDiscountUsd"] = "0.011"
    assert [str(found) for found in differences(spend, bill)] == [
        "caching promptCacheSavingsUsd: agent-finops 0.01, billed 0.011"
    ]


def test_an_unknown_cost_is_not_zero(spend: Spend, bill: dict[str, Any]) -> None:
    spend.by_model[0]["costUsd"] = None  # type: ignore[index]
    bill["byModel"]["m1"]["costUsd"] = "0"
    assert "model m1 costUsd: agent-finops unknown, billed 0" in map(str, differences(spend, bill))


def test_what_only_one_side_knows_is_a_difference(spend: Spend, bill: dict[str, Any]) -> None:
    del bill["byAgent"]["bob"]
    bill["bySession"]["s2"] = {"calls": 1, "costUsd": "0.2"}
    places = {found.place for found in differences(spend, bill)}
    assert places == {"agent bob", "session s2"}


def test_the_tables_are_aligned_and_uncoloured_off_a_terminal(spend: Spend) -> None:
    text = tables(spend, Ink(coloured=False))
    assert "\x1b" not in text
    [ann] = [line for line in text.splitlines() if line.startswith("ann")]
    [total] = [line for line in text.splitlines() if line.startswith("all")][:1]
    assert ann.endswith("0.10000000000125")
    assert total.endswith("0.30000000000125")
    assert len(ann) == len(total)
    assert "8.4 x its baseline" in text


def test_unpriced_calls_are_named(spend: Spend) -> None:
    spend.by_model[0]["unpricedCalls"] = 2  # type: ignore[index]
    assert "m1 (2 calls)" in tables(spend, Ink(coloured=False))

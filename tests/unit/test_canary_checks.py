"""The canary says what is wrong: in which endpoint, and by how much."""

from decimal import Decimal
from typing import Any

from standalone.canary_checks import Rates, Sent, Sums, mismatches

ALL = Sums(2, 2001, 201, Decimal("0.00042075"))
LAST = Sums(1, 1001, 101, Decimal("0.00021075"))
SENT = Sent("canary-1", "canary-1", "ab" * 16, LAST, ALL, 3.0)
RIGHT: dict[str, int | Decimal] = {
    "calls": 2, "inputTokens": 2001, "outputTokens": 201, "costUsd": Decimal("0.00042075"),
}  # fmt: skip
ONE: dict[str, int | Decimal] = {
    "calls": 1, "inputTokens": 1001, "outputTokens": 101, "costUsd": Decimal("0.00021075"),
}  # fmt: skip
ANSWERS: dict[str, Any] = {
    "/sessions/canary-1": {"totals": RIGHT},
    f"/traces/{'ab' * 16}": {"totals": ONE},
    "/costs": {"totals": RIGHT},
    "/trends": [ONE, RIGHT | {name: RIGHT[name] - ONE[name] for name in RIGHT}],
    "/allocations": [RIGHT],
    "/allocations/by-model": [RIGHT],
    "/burn-rates/active": [{"sessionId": "canary-1", "spendUsd": RIGHT["costUsd"], "windowSeconds": 600}],
    "/cache-impact": [{"cacheableCalls": 2}],
    "/coverage": {"spans": {"billed": 7}},
    "/roi-stats": {"embeddingCostUsd": 0, "semanticCacheSavingsUsd": 0},
    "/anomalies/active": [],
    "/baselines": [],
    "/valuation-rates": [],
    "/deployments": [],
}


def heard(answers: dict[str, Any]) -> list[str]:
    return mismatches(SENT, lambda path: answers[path.partition("?")[0]])


def test_nothing_is_wrong_where_every_endpoint_tells_what_was_sent() -> None:
    assert heard(ANSWERS) == []


def test_a_pico_dollar_or_a_call_too_many_is_found_in_whichever_endpoint_it_is() -> None:
    off = RIGHT | {"costUsd": Decimal("0.000420750001")}
    counts = "2 calls, 2001 + 201 tokens"
    assert heard(ANSWERS | {"/allocations": [off]}) == [
        f"allocations: {counts}, 0.000420750001 USD instead of {counts}, 0.00042075 USD"
    ]
    wrong = {
        "/sessions/canary-1": {"totals": off},
        f"/traces/{'ab' * 16}": {"totals": RIGHT},
        "/costs": {"totals": ONE},
        "/trends": [RIGHT, ONE],
        "/allocations/by-model": [],
        "/burn-rates/active": [],
        "/cache-impact": [],
        "/coverage": {"spans": {"billed": 1}},
        "/roi-stats": {"embeddingCostUsd": 1, "semanticCacheSavingsUsd": 0},
        "/baselines": {},
    }
    for path, answer in wrong.items():
        assert [line for line in heard(ANSWERS | {path: answer}) if line.startswith(path[1:].partition("/c")[0][:5])]


def test_a_cost_is_rounded_once_for_each_kind_of_token_half_to_even() -> None:
    assert Rates(Decimal("0.0000000005"), Decimal("0.0000000015")).cost(1, 1) == Decimal("0.000000000002")
    assert Rates(Decimal("0.00015"), None).cost(1, 1) is None

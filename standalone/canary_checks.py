"""What the canary's calls must come to in each endpoint: worked out here in whole numbers, by nobody else's code."""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

ORG = AGENT = "canary"
WHOLE_WINDOW_SECONDS = 20
"""So much younger than the sliding window a run must be for all of it to lie inside."""
_PICO = Decimal(1).scaleb(-12)
Get = Callable[[str], Any]


class Sums(NamedTuple):
    """Of calls."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: Decimal | None = Decimal(0)

    def plus(self, other: "Sums") -> "Sums":
        """With some more."""
        cost = None if self.cost_usd is None or other.cost_usd is None else self.cost_usd + other.cost_usd
        return Sums(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            cost,
        )


class Rates(NamedTuple):
    """USD per thousand tokens; None: no price."""

    input: Decimal | None
    output: Decimal | None

    def cost(self, input_tokens: int, output_tokens: int) -> Decimal | None:
        """Of one call: each kind of token rounded once, half to even, to a pico-dollar."""
        if self.input is None or self.output is None:
            return None
        amounts = (Decimal(input_tokens) * self.input / 1000, Decimal(output_tokens) * self.output / 1000)
        return sum((amount.quantize(_PICO, ROUND_HALF_EVEN) for amount in amounts), Decimal(0))


class Sent(NamedTuple):
    """The last call and all of them so far."""

    session: str
    environment: str
    trace_id: str
    last: Sums
    all: Sums
    seconds: float
    """Since the first."""


def sums_of(row: Mapping[str, Any]) -> Sums:
    """Out of an answer."""
    cost = row.get("costUsd")
    calls, given, made = (int(row.get(name) or 0) for name in ("calls", "inputTokens", "outputTokens"))
    return Sums(calls, given, made, None if cost is None else Decimal(str(cost)))


def mismatches(sent: Sent, get: Get) -> list[str]:
    """What is not as it must be, one line each. ``get`` reads below the contract's prefix."""
    of_run = f"orgId={ORG}&environment={sent.environment}"
    found = [
        ("sessions", sent.all, sums_of(_totals(get(f"/sessions/{sent.session}")))),
        ("traces", sent.last, sums_of(_totals(get(f"/traces/{sent.trace_id}")))),
        ("costs", sent.all, sums_of(get(f"/costs?window=2d&groupBy=agent&{of_run}")["totals"])),
        *((name, sent.all, _added(get(f"/{name}?days=2&{of_run}"))) for name in ("trends", "allocations")),
        ("allocations/by-model", sent.all, _added(get(f"/allocations/by-model?days=2&{of_run}"))),
    ]
    lines = [f"{name}: {_shown(seen)} instead of {_shown(want)}" for name, want, seen in found if want != seen]
    return lines + _other_mismatches(sent, get, of_run)


def _other_mismatches(sent: Sent, get: Get, of_run: str) -> list[str]:
    lines = []
    rows = [row for row in get(f"/burn-rates/active?{of_run}") if row["sessionId"] == sent.session]
    spend = None if not rows or rows[0]["spendUsd"] is None else Decimal(str(rows[0]["spendUsd"]))
    if not rows:
        lines.append("burn-rates/active: the session is missing")
    elif sent.seconds < rows[0]["windowSeconds"] - WHOLE_WINDOW_SECONDS and spend != sent.all.cost_usd:
        lines.append(f"burn-rates/active: {spend} instead of {sent.all.cost_usd}")
    cacheable = sum(int(row["cacheableCalls"]) for row in get(f"/cache-impact?days=2&{of_run}"))
    if cacheable != sent.all.calls:
        lines.append(f"cache-impact: {cacheable} cacheable calls instead of {sent.all.calls}")
    billed = int(get(f"/coverage?days=2&orgId={ORG}")["spans"]["billed"])
    if billed < sent.all.calls:
        lines.append(f"coverage: {billed} billed, fewer than the {sent.all.calls} sent")
    saved = get(f"/roi-stats?days=2&{of_run}")
    if Decimal(str(saved["embeddingCostUsd"])) or Decimal(str(saved["semanticCacheSavingsUsd"])):
        lines.append("roi-stats: there are savings or embeddings, and none was sent")
    lists = ("anomalies/active", "baselines", "valuation-rates?inUse=true", "deployments")
    return lines + [f"{name}: not a list" for name in lists if not isinstance(get(f"/{name}"), list)]


def _totals(page: Mapping[str, Any]) -> Mapping[str, Any]:
    totals = page.get("totals", page)
    return totals if isinstance(totals, Mapping) else {}


def _added(rows: Iterable[Mapping[str, Any]]) -> Sums:
    total = Sums()
    for row in rows:
        total = total.plus(sums_of(row))
    return total


def _shown(sums: Sums) -> str:
    return f"{sums.calls} calls, {sums.input_tokens} + {sums.output_tokens} tokens, {sums.cost_usd} USD"

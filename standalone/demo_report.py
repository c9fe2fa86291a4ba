"""What the demo reads back from the REST API: compared with the bill figure by figure, and printed as tables.

Money is read as Decimal and never rounded, so 'equal' means equal to the last digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from standalone.api_client import Api
from standalone.table_text import Ink, table

COUNTS = ("calls", "inputTokens", "cachedInputTokens", "cacheWriteTokens", "outputTokens", "reasoningTokens")
FIGURES = (*COUNTS, "costUsd")
ROI_FIGURES = ("embeddingCostUsd", "promptCacheSavingsUsd")
_HEADINGS = ("calls", "input", "cached", "output", "reasoning", "cost USD")
_SHOWN = ("calls", "inputTokens", "cachedInputTokens", "outputTokens", "reasoningTokens", "costUsd")

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What the API says was spent."""

    by_agent: Sequence[Figures]
    by_model: Sequence[Figures]
    burning: Sequence[Figures]
    anomalies: Sequence[Figures]
    roi: Figures


def calls_seen(api: Api) -> int:
    """Calls of every agent that the API shows so far."""
    return sum(row["calls"] for row in api.get("/allocations?days=2"))


def read_spend(api: Api) -> Spend:
    """Two days, so that a run across midnight is whole."""
    return Spend(
        by_agent=api.get("/allocations?days=2"),
        by_model=api.get("/allocations/by-model?days=2"),
        burning=api.get("/burn-rates/active"),
        anomalies=api.get("/anomalies/active"),
        roi=api.get("/roi-stats?days=2"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One figure that is not the bill's; None where one side does not have it."""

    place: str
    figure: str
    ours: Decimal | None
    billed: Decimal | None

    def __str__(self) -> str:
        ours, billed = (_digits(value) for value in (self.ours, self.billed))
        return f"{self.place} {self.figure}: agent-finops {ours}, billed {billed}"


def differences(spend: Spend, bill: Mapping[str, Any]) -> list[Difference]:
    """Every figure per agent, per model, in all, per session and of caching, where the two sides are not equal."""
    found = _compare("agent", {row["agentId"]: row for row in spend.by_agent}, bill["byAgent"], FIGURES)
    found += _compare("model", {row["modelId"]: row for row in spend.by_model}, bill["byModel"], FIGURES)
    for grouped in (spend.by_agent, spend.by_model):
        total = {figure: sum(_exact(row[figure]) or 0 for row in grouped) for figure in FIGURES}
        found += _compare("total", {"": total}, {"": bill["total"]}, FIGURES)
    sessions = {row["sessionId"]: {"costUsd": row["spendUsd"], "calls": row["calls"]} for row in spend.burning}
    named = {session: figures for session, figures in sessions.items() if session in bill["bySession"]}
    found += _compare("session", named, bill["bySession"], ("calls", "costUsd"))
    found += _compare("caching", {"": spend.roi}, {"": _billed_caching(bill)}, ROI_FIGURES)
    return list(dict.fromkeys(found))


def _billed_caching(bill: Mapping[str, Any]) -> Figures:
    return {
        "embeddingCostUsd": bill["byOperation"].get("embeddings", {"costUsd": 0})["costUsd"],
        "promptCacheSavingsUsd": bill["total"]["cacheDiscountUsd"],
    }


def figures_compared(bill: Mapping[str, Any]) -> int:
    """How many figures ``differences`` looks at."""
    grouped = len(bill["byAgent"]) + len(bill["byModel"]) + 1
    return len(FIGURES) * grouped + 2 * len(bill["bySession"]) + len(ROI_FIGURES)


def _compare(
    kind: str, ours: Mapping[str, Figures], billed: Mapping[str, Figures], figures: Sequence[str]
) -> list[Difference]:
    found = []
    for name in sorted({*ours, *billed}):
        for figure in figures:
            mine = _exact(ours.get(name, {}).get(figure))
            theirs = _exact(billed.get(name, {}).get(figure))
            if mine != theirs:
                found.append(Difference(place=f"{kind} {name}".strip(), figure=figure, ours=mine, billed=theirs))
    return found


def _exact(value: Any) -> Decimal | None:
    return None if value is None else Decimal(value)


def _digits(value: Any) -> str:
    return "unknown" if value is None else format(Decimal(value).normalize(), "f")


def tables(spend: Spend, ink: Ink) -> str:
    """All of it as text."""
    parts = [
        _cost_table("Cost by agent", "agent", "agentId", spend.by_agent, ink),
        _cost_table("Cost by model", "model", "modelId", spend.by_model, ink),
        _burn_table(spend, ink),
        _savings(spend.roi, ink),
    ]
    unpriced = [row for row in spend.by_model if row.get("unpricedCalls")]
    if unpriced:
        names = ", ".join(f"{row['modelId']} ({row['unpricedCalls']} calls)" for row in unpriced)
        parts.append(ink.bad(f"Not priced, and left out of every cost above: {names}"))
    return "\n\n".join(parts)


def _cost_table(title: str, heading: str, key: str, rows: Sequence[Figures], ink: Ink) -> str:
    body = [[str(row[key]), *(_cell(row, figure) for figure in _SHOWN)] for row in rows]
    total = {figure: sum(_exact(row[figure]) or Decimal(0) for row in rows) for figure in _SHOWN}
    body.append(["all", *(_cell(total, figure) for figure in _SHOWN)])
    return table(title, [heading, *_HEADINGS], body, ink)


def _cell(row: Figures, figure: str) -> str:
    value = row[figure]
    return _digits(value) if figure == "costUsd" else f"{int(value):,}"


def _burn_table(spend: Spend, ink: Ink) -> str:
    ratios = {row["sessionId"]: row["anomalyRatio"] for row in spend.anomalies}
    body = []
    for row in spend.burning:
        ratio = ratios.get(row["sessionId"])
        verdict = "" if ratio is None else f"{Decimal(ratio):.1f} x its baseline"
        baseline = row.get("baselineUsdPerHour")
        body.append(
            [
                row["sessionId"] if len(row["sessionId"]) <= 32 else f"{row['sessionId'][:29]}...",
                row["agentId"],
                f"{Decimal(row['burnRateUsdPerHour']):.6f}",
                "" if baseline is None else f"{Decimal(baseline):.2f}",
                verdict,
            ]
        )
    minutes = spend.burning[0]["windowSeconds"] // 60 if spend.burning else 0
    title = f"Burning now (over the last {minutes} minutes)" if minutes else "Burning now: nobody"
    return table(title, ["session", "agent", "USD per hour", "baseline", "anomaly"], body, ink, text_columns=(0, 1, 4))


def _savings(roi: Figures, ink: Ink) -> str:
    lines = [
        ("saved by the provider's prompt cache", roi.get("promptCacheSavingsUsd")),
        ("saved by the agents' own answer cache", roi.get("semanticCacheSavingsUsd")),
        ("spent on embeddings", roi.get("embeddingCostUsd")),
    ]
    return table("Caching", ["", "USD"], [[text, _digits(value)] for text, value in lines], ink)

"""The JSON objects of single calls, sessions and traces, and of what became of everything that arrived."""

from typing import Any

from finops.model_names import UNKNOWN_MODEL
from finops.money import FEMTO_PER_PICO, usd
from finops.rates import per_k_tokens
from finops.reports import CallEntry, SpanVerdict, UnpricedModel
from finops.spans import SpanClass
from query_api.answers import ACTIVITY, AGENT, totals_fields
from query_api.shapes import ANY, COUNT, FLAG, INSTANT, MONEY, TEXT, Field, Kind, Schema, Shape, field
from query_api.wire import number

PRICE_LINE_SCHEMA: Schema = {
    "type": "object",
    "properties": {
        "kind": {"type": "string"},
        "tokens": {"type": "integer"},
        "ratePerKTokens": {"type": "number"},
        "ratePerK": {"type": "number"},
        "costUsd": {"type": "number"},
        "arithmetic": {"type": "string"},
    },
}
COUNTED_EACH = frozenset({"request", "search"})
"""Kinds of price line that count requests and searches, not tokens."""


def price_lines(detail: object) -> list[dict[str, object]]:
    """The lines of an entry's price: tokens and rate of each kind, and what they came to."""
    lines = detail.get("lines") if isinstance(detail, dict) else None
    return [_price_line(line) for line in lines or ()]


def _price_line(line: dict[str, Any]) -> dict[str, object]:
    each = line["kind"] in COUNTED_EACH
    rate = per_k_tokens(line["rateFemto"])
    sign = "~" if line["tokens"] * line["rateFemto"] % FEMTO_PER_PICO else "="
    return {
        "kind": line["kind"],
        "tokens": line["tokens"],
        "ratePerK" if each else "ratePerKTokens": number(rate),
        "costUsd": number(usd(line["amountPico"])),
        "arithmetic": f"{line['tokens']} x {rate:f} / 1000 {sign} {usd(line['amountPico']):f}",
    }


def _said(detail: object, name: str) -> object:
    return detail.get(name) if isinstance(detail, dict) else None


def _reported_difference(call: CallEntry) -> int | None:
    """What the sender says less what we say, where both say something."""
    ours = call.totals.cost_pico if call.totals.calls else None
    return None if ours is None or call.reported_cost_pico is None else call.reported_cost_pico - ours


CALL = Shape(
    "Call",
    (
        field("traceId", TEXT, "trace_id"),
        field("spanId", TEXT, "span_id"),
        field("at", INSTANT, "event_time"),
        *AGENT,
        field("teamId", TEXT, "team_id"),
        field("sessionId", TEXT, "session_id"),
        field("userId", TEXT, "user_id"),
        field("environment", TEXT, "environment"),
        field("service", TEXT, "service"),
        field("provider", TEXT, "provider"),
        field("modelId", TEXT, "model_id"),
        field("operation", TEXT, "operation"),
        *totals_fields(),
        *ACTIVITY,
        field("cacheHits", COUNT, "cache_hits"),
        field("savedTokens", COUNT, "saved_tokens"),
        field("semanticCacheSavingsUsd", MONEY, "semantic_savings_pico"),
        field("promptCacheSavingsUsd", MONEY, "prompt_savings_pico"),
        field("reportedCostUsd", MONEY, "reported_cost_pico", nullable=True),
        Field("reportedDifferenceUsd", MONEY, _reported_difference, True),
        field("rateVersion", COUNT, "rate_version", nullable=True),
        Field("rateSource", TEXT, lambda call: _said(call.detail, "source"), True),
        Field("matchRule", TEXT, lambda call: _said(call.detail, "matchRule"), True),
        Field("tier", TEXT, lambda call: _said(call.detail, "tier"), True),
        Field("requestModel", TEXT, lambda call: _said(call.detail, "requestModel"), True),
        Field("responseModel", TEXT, lambda call: _said(call.detail, "responseModel"), True),
        Field("unpricedReason", TEXT, lambda call: _said(call.detail, "unpricedReason"), True),
        Field("flags", ANY, lambda call: _said(call.detail, "flags") or []),
        Field(
            "lines", Kind(price_lines, {"type": "array", "items": PRICE_LINE_SCHEMA}), lambda call: call.detail or {}
        ),
        field("revisions", COUNT, "revisions"),
        Field("repricedBy", TEXT, lambda call: _said(call.detail, "repricedBy"), True),
    ),
)


def _span_tokens(facts: object, place: int) -> object:
    """Input (0) or output (1) tokens the span itself states, None where it states no usage."""
    usage = _said(facts, "usage")
    return usage[place] if isinstance(usage, list) else None


def _span_model(span: SpanVerdict) -> object:
    return _said(span.facts, "response_model") or _said(span.facts, "request_model")


SPAN = Shape(
    "Span",
    (
        field("traceId", TEXT, "trace_id"),
        field("spanId", TEXT, "span_id"),
        field("parentSpanId", TEXT, "parent_span_id"),
        Field("name", TEXT, lambda span: _said(span.facts, "name"), True),
        Field("class", TEXT, lambda span: SpanClass(span.span_class).name.lower()),
        field("at", INSTANT, "event_time"),
        field("arrivedAt", INSTANT, "arrived_at"),
        Field("operation", TEXT, lambda span: _said(span.facts, "operation"), True),
        Field("modelId", TEXT, _span_model, True),
        Field("inputTokens", COUNT, lambda span: _span_tokens(span.facts, 0), True),
        Field("outputTokens", COUNT, lambda span: _span_tokens(span.facts, 1), True),
        field("verdict", TEXT, "verdict"),
        field("reason", TEXT, "reason"),
        field("wouldCostUsd", MONEY, "would_cost_pico", nullable=True),
        field("revisions", COUNT, "revisions"),
    ),
)
_DRILLED = (
    *totals_fields("found.totals"),
    field("agentRuns", COUNT, "found.agent_runs"),
    field("toolCalls", COUNT, "found.tool_calls"),
    field("items", CALL, "found.calls", many=True),
    field("spans", SPAN, "found.spans", many=True),
    field("truncated", FLAG, "found.truncated"),
)
SESSION = Shape("Session", (field("sessionId", TEXT, "id"), *_DRILLED))
TRACE = Shape("Trace", (field("traceId", TEXT, "id"), *_DRILLED))

_WAYS = ("received", "billed", "duplicate", "ignored", "suspense")
_ARRIVED = COUNT._replace(schema={"type": "integer", "description": "Spans that arrived in the period"})
_ARRIVED_MONEY = MONEY._replace(
    schema={"type": "number", "description": "USD, of spans that arrived in the period; null where unknown"}
)
FATE = Shape(
    "SpanFate",
    tuple(field(name, _ARRIVED, name) for name in _WAYS),
)
MONEY_FATE = Shape(
    "MoneyFate",
    tuple(field(f"{name}Usd", _ARRIVED_MONEY, name, nullable=True) for name in _WAYS),
)
VERDICT_COUNT = Shape(
    "VerdictCount",
    (
        field("verdict", TEXT, "verdict"),
        field("spans", _ARRIVED, "spans"),
        field("wouldCostUsd", _ARRIVED_MONEY, "would_cost_pico", nullable=True),
        field("unpricedSpans", COUNT, "unpriced_spans"),
    ),
)
_REPLAYABLE = COUNT._replace(
    schema={"type": "integer", "description": "Of the spans, those that `agent-finops suspense replay` can try again"}
)
REASON_COUNT = Shape(
    "ReasonCount",
    (
        field("reason", TEXT, "reason"),
        field("spans", COUNT, "spans"),
        field("replayableSpans", _REPLAYABLE, "replayable_spans"),
    ),
)


def _fix(model: UnpricedModel) -> str:
    if model.model_id == UNKNOWN_MODEL:
        return (
            "The sender states no model for these calls, so no rate can cover them: let it set gen_ai.request.model "
            "or gen_ai.response.model (GET /sessions/{id} names its service). What is stored stays without a price."
        )
    if model.unmetered_calls >= model.calls:
        return (
            "The sender states no usage for these calls: let it report usage "
            '(for OpenAI streams: "stream_options": {"include_usage": true}).'
        )
    fix = f"PUT /api/v1/finops/valuation-rates with modelId {model.model_id!r}: these calls are priced at once."
    if model.provider.startswith("azure."):
        return f"{fix} Where that is a deployment's name: PUT /api/v1/finops/deployments with the model it runs."
    return fix


UNPRICED_MODEL = Shape(
    "UnpricedModel",
    (
        field("provider", TEXT, "provider"),
        field("modelId", TEXT, "model_id"),
        field("calls", COUNT, "calls"),
        field("inputTokens", COUNT, "input_tokens"),
        field("outputTokens", COUNT, "output_tokens"),
        field("unmeteredCalls", COUNT, "unmetered_calls"),
        Field("fix", TEXT, _fix),
    ),
)
REPORTED_COST = Shape(
    "ReportedCost",
    (
        field("provider", TEXT, "provider"),
        field("modelId", TEXT, "model_id"),
        field("calls", COUNT, "calls"),
        field("unpricedCalls", COUNT, "unpriced_calls"),
        field("reportedUsd", MONEY, "reported_pico"),
        field("reportedForPricedUsd", MONEY, "reported_for_priced_pico"),
        field("costUsd", MONEY, "cost_pico"),
        Field("differenceUsd", MONEY, lambda row: row.reported_for_priced_pico - row.cost_pico),
    ),
)
COVERAGE = Shape(
    "Coverage",
    (
        field("spans", FATE, "spans"),
        field("money", MONEY_FATE, "money"),
        *totals_fields("told.totals"),
        field("unmeteredCalls", COUNT, "told.unmetered_calls"),
        field("verdicts", VERDICT_COUNT, "told.verdicts", many=True),
        field("suspenseReasons", REASON_COUNT, "told.suspense", many=True),
        field("unpricedModels", UNPRICED_MODEL, "told.unpriced_models", many=True),
        field("reportedCosts", REPORTED_COST, "told.reported_costs", many=True),
    ),
)

"""The contract's JSON objects, field by field in the order they are told."""

from finops.rate_listing import rate_fields
from finops.rates import FEMTO_FIELDS
from finops.ratios import share
from query_api.shapes import COUNT, DAY, INSTANT, MONEY, NUMBER, TEXT, Field, Shape, field


def totals_fields(source: str = "totals") -> tuple[Field, ...]:
    """The contract's ``Totals``, read from ``source``."""
    return (
        field("calls", COUNT, f"{source}.calls"),
        field("inputTokens", COUNT, f"{source}.input_tokens"),
        field("cachedInputTokens", COUNT, f"{source}.cached_input_tokens"),
        field("cacheWriteTokens", COUNT, f"{source}.cache_write_tokens"),
        field("outputTokens", COUNT, f"{source}.output_tokens"),
        field("reasoningTokens", COUNT, f"{source}.reasoning_tokens"),
        field("costUsd", MONEY, f"{source}.cost_pico", nullable=True),
        field("unpricedCalls", COUNT, f"{source}.unpriced_calls"),
    )


ACTIVITY = (field("agentRuns", COUNT, "agent_runs"), field("toolCalls", COUNT, "tool_calls"))
_SHARE = field("shareOfCost", NUMBER, "share", nullable=True)
AGENT = (field("orgId", TEXT, "org_id"), field("agentId", TEXT, "agent_id"))

TREND = Shape("Trend", (field("date", DAY, "day"), *AGENT, *totals_fields(), *ACTIVITY))
ALLOCATION = Shape("Allocation", (*AGENT, *totals_fields(), *ACTIVITY, _SHARE))
MODEL_ALLOCATION = Shape(
    "ModelAllocation",
    (field("provider", TEXT, "provider"), field("modelId", TEXT, "model_id"), *totals_fields(), _SHARE),
)

_CACHE_MONEY = (
    field("semanticCacheSavingsUsd", MONEY, "money.semantic_savings_pico"),
    field("promptCacheSavingsUsd", MONEY, "money.prompt_savings_pico"),
    field("embeddingCostUsd", MONEY, "money.embedding_cost_pico"),
)
ROI_STATS = Shape(
    "RoiStats",
    (
        field("cacheSavingsUsd", MONEY, "money.savings_pico"),
        field("netRoiUsd", MONEY, "money.net_pico"),
        field("since", INSTANT, "since"),
        *_CACHE_MONEY,
    ),
)
CACHE_IMPACT = Shape(
    "CacheImpact",
    (
        field("bucketStart", INSTANT, "bucket_start"),
        field("cacheHits", COUNT, "cache_hits"),
        field("cacheableCalls", COUNT, "cacheable_calls"),
        Field("hitRatio", NUMBER, lambda step: share(step.cache_hits, step.cacheable_calls), True),
        field("savedTokens", COUNT, "saved_tokens"),
        *_CACHE_MONEY,
        field("netUsd", MONEY, "money.net_pico"),
    ),
)


def _rate_field(name: str) -> Field:
    return Field(name, NUMBER, lambda row: rate_fields(row.stated)[name], nullable=True)


VALUATION_RATE = Shape(
    "ValuationRate",
    (
        field("provider", TEXT, "provider"),
        field("modelId", TEXT, "model_id"),
        *(_rate_field(name) for name in FEMTO_FIELDS.values()),
        field("orgId", TEXT, "org_id"),
        field("source", TEXT, "source"),
        field("effectiveFrom", INSTANT, "effective_from", nullable=True),
        field("version", COUNT, "version"),
        field("author", TEXT, "author"),
        field("reason", TEXT, "reason"),
    ),
)

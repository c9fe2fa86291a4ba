"""The JSON objects about changes: of rates and deployments, of history priced again, and the trail of them all."""

from typing import Any

from msgspec import Raw

from query_api.answers import VALUATION_RATE
from query_api.paging import page_of
from query_api.preconditions import half, quoted
from query_api.shapes import ANY, COUNT, DAY, FLAG, INSTANT, MONEY, TEXT, Field, Kind, Shape, field


def _of_rate(one: Field) -> Field:
    return one._replace(read=lambda stored: one.read(stored.rate))


STORED_RATE = Shape(
    "StoredValuationRate",
    (
        *(_of_rate(one) for one in VALUATION_RATE.fields),
        field("repricedCalls", COUNT, "swept.repriced"),
        field("pendingCalls", COUNT, "swept.pending", nullable=True),
    ),
)
RATE_VERSION = Shape(
    "RateVersion",
    (
        *(one for one in VALUATION_RATE.fields if one.name != "effectiveFrom"),
        field("effectiveFrom", INSTANT, "effective_from"),
        field("dated", FLAG, "dated"),
        field("ended", FLAG, "ended"),
        field("createdAt", INSTANT, "created_at"),
    ),
)
RATE_HISTORY = page_of("RateHistory", RATE_VERSION)


def deployment_tag(model_id: str) -> str:
    """The tag of a name that stands for this model, without quotes."""
    return half({"modelId": model_id})


DEPLOYMENT = Shape(
    "Deployment",
    (
        field("provider", TEXT, "provider"),
        field("deployment", TEXT, "deployment"),
        field("modelId", TEXT, "model_id"),
        Field("etag", TEXT, lambda row: quoted(deployment_tag(row.model_id))),
    ),
)
STORED_DEPLOYMENT = Shape(
    "StoredDeployment",
    (
        *DEPLOYMENT.fields,
        field("repricedCalls", COUNT, "swept.repriced"),
        field("pendingCalls", COUNT, "swept.pending", nullable=True),
    ),
)

_JSON = Kind(lambda text: Raw(text.encode()), {})
"""Text that is JSON already."""
AUDIT_ROW = Shape(
    "AuditRow",
    (
        field("seq", COUNT, "seq"),
        field("at", INSTANT, "at"),
        field("actor", TEXT, "actor"),
        field("action", TEXT, "action"),
        field("orgId", TEXT, "org_id"),
        field("subject", TEXT, "subject"),
        field("before", _JSON, "before", nullable=True),
        field("after", _JSON, "after", nullable=True),
        field("reason", TEXT, "reason"),
        Field("hash", TEXT, lambda row: row.hash.hex()),
    ),
)
AUDIT = page_of("Audit", AUDIT_ROW)


def _change(source: str) -> tuple[Field, ...]:
    def difference(row: Any) -> int:
        change = getattr(row, source)
        return int(change.after_pico - change.before_pico)

    return (
        field("calls", COUNT, f"{source}.calls"),
        field("callsTouched", COUNT, f"{source}.touched"),
        field("beforeUsd", MONEY, f"{source}.before_pico"),
        field("afterUsd", MONEY, f"{source}.after_pico"),
        Field("differenceUsd", MONEY, difference),
        field("unpricedCallsBefore", COUNT, f"{source}.unpriced_before"),
        field("unpricedCallsAfter", COUNT, f"{source}.unpriced_after"),
        field("cacheSavingsBeforeUsd", MONEY, f"{source}.savings_before_pico"),
        field("cacheSavingsAfterUsd", MONEY, f"{source}.savings_after_pico"),
    )


REPRICED_MODEL_DAY = Shape(
    "RepricedModelDay",
    (
        field("date", DAY, "group.day"),
        field("provider", TEXT, "group.provider"),
        field("modelId", TEXT, "group.model_id"),
        *_change("change"),
    ),
)
REPRICE_RUN = Shape(
    "RepriceRun",
    (
        Field("runId", TEXT, lambda run: str(run.run_id)),
        field("startedAt", INSTANT, "started_at"),
        field("finishedAt", INSTANT, "finished_at", nullable=True),
        field("pricedThrough", INSTANT, "priced_through"),
        field("actor", TEXT, "actor"),
        field("reason", TEXT, "reason"),
        Field("request", ANY, lambda run: run.request.document()),
        *_change("change"),
    ),
)
REPRICE = Shape(
    "Reprice",
    (
        field("applied", FLAG, "applied"),
        field("from", INSTANT, "request.start"),
        field("to", INSTANT, "request.end"),
        Field("priceSource", TEXT, lambda answer: answer.request.source.kind),
        *_change("change"),
        field("items", REPRICED_MODEL_DAY, "groups", many=True),
        field("truncated", FLAG, "truncated"),
        field("run", REPRICE_RUN, "run", nullable=True),
    ),
)

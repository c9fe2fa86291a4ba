"""The JSON objects about erasures and retention. None of them holds an identifier that was erased."""

from finops.erasure import Phase
from finops.expiry import RetentionRule
from query_api.paging import page_of
from query_api.preconditions import half, quoted
from query_api.shapes import COUNT, FLAG, INSTANT, MONEY, TEXT, Field, Shape, field

COUNTED = (
    "entries", "spans", "suspense", "sessionSlots", "anomalies", "budgets", "budgetFirings", "alerts",
    "alertDeliveries", "alertMatchers", "auditRows",
)  # fmt: skip
"""Rows in which an identifier was replaced, by what they are."""


def _counted(name: str) -> Field:
    return Field(name, COUNT, lambda counts: counts.get(name, 0))


ERASURE_COUNTS = Shape("ErasureCounts", tuple(_counted(name) for name in COUNTED))
ERASURE = Shape(
    "Erasure",
    (
        field("erasureId", TEXT, "erasure_id"),
        field("orgId", TEXT, "org_id"),
        Field("kind", TEXT, lambda one: str(one.kind)),
        field("pseudonym", TEXT, "pseudonym"),
        Field("state", TEXT, lambda one: "finished" if one.phase is Phase.FINISHED else "running"),
        field("requestedAt", INSTANT, "requested_at"),
        field("requestedBy", TEXT, "requested_by"),
        field("reason", TEXT, "reason"),
        field("finishedAt", INSTANT, "finished_at", nullable=True),
        field("counts", ERASURE_COUNTS, "counts"),
    ),
)
ERASURES = page_of("Erasures", ERASURE)


def retention_tag(identifier_days: int) -> str:
    """The tag of a rule, without quotes."""
    return half({"identifierDays": identifier_days})


def _tag(rule: RetentionRule) -> str | None:
    return None if rule.identifier_days is None else quoted(retention_tag(rule.identifier_days))


RETENTION = Shape(
    "Retention",
    (
        field("orgId", TEXT, "org_id"),
        field("identifierDays", COUNT, "identifier_days", nullable=True),
        field("namelessThrough", INSTANT, "nameless_through", nullable=True),
        field("updatedAt", INSTANT, "updated_at"),
        field("updatedBy", TEXT, "updated_by"),
        Field("etag", TEXT, _tag, nullable=True),
    ),
)
ERASURE_FOUND = Shape(
    "ErasureFound",
    (
        field("entries", COUNT, "entries"),
        field("calls", COUNT, "calls"),
        field("costUsd", MONEY, "cost_pico"),
        field("firstAt", INSTANT, "first_at", nullable=True),
        field("lastAt", INSTANT, "last_at", nullable=True),
        field("sessionSlots", COUNT, "session_slots"),
        field("anomalies", COUNT, "anomalies"),
        field("budgets", COUNT, "budgets"),
        field("alerts", COUNT, "alerts"),
    ),
)
ERASURE_ANSWER = Shape(
    "ErasureAnswer",
    (
        field("applied", FLAG, "applied"),
        field("orgId", TEXT, "request.org_id"),
        Field("kind", TEXT, lambda answer: str(answer.request.kind)),
        field("found", ERASURE_FOUND, "found", nullable=True),
        field("erasure", ERASURE, "erasure", nullable=True),
    ),
)

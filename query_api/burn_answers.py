"""What is told of burning sessions, anomalies and baselines, field by field."""

from finops.reports import Baseline
from query_api.paging import page_of
from query_api.preconditions import half, quoted
from query_api.shapes import ANY, COUNT, INSTANT, MONEY, NUMBER, TEXT, Field, Shape, field

BURN_RATE = Shape(
    "BurnRate",
    (
        field("sessionId", TEXT, "session.session_id"),
        field("agentId", TEXT, "session.agent_id"),
        field("orgId", TEXT, "session.org_id"),
        field("spendUsd", MONEY, "session.spend_pico", nullable=True),
        field("windowSeconds", COUNT, "window_seconds"),
        field("burnRateUsdPerHour", NUMBER, "burn_rate_usd_per_hour", nullable=True),
        field("baselineUsdPerHour", NUMBER, "baseline_usd_per_hour", nullable=True),
        field("anomalyRatio", NUMBER, "ratio", nullable=True),
        field("calls", COUNT, "session.calls"),
        field("unpricedCalls", COUNT, "session.unpriced_calls"),
        field("firstSeenAt", INSTANT, "session.first_seen_at"),
        field("lastSeenAt", INSTANT, "session.last_seen_at"),
    ),
)
_WHO = (field("sessionId", TEXT, "session_id"), field("agentId", TEXT, "agent_id"))
_RATES = (
    field("burnRateUsdPerHour", NUMBER, "burn_rate_usd_per_hour", nullable=True),
    field("baselineUsdPerHour", NUMBER, "baseline_usd_per_hour", nullable=True),
    field("anomalyRatio", NUMBER, "ratio", nullable=True),
)
ANOMALY = Shape(
    "Anomaly",
    (
        *_WHO,
        *_RATES,
        field("orgId", TEXT, "org_id"),
        field("severity", TEXT, "severity"),
        field("rule", TEXT, "rule"),
        field("openedAt", INSTANT, "opened_at"),
        field("spendUsd", MONEY, "spend_pico", nullable=True),
        field("windowSeconds", COUNT, "window_seconds"),
        field("calls", COUNT, "calls"),
        field("unpricedCalls", COUNT, "unpriced_calls"),
        field("anomalyMultiplier", NUMBER, "multiplier"),
        field("lastSeenAt", INSTANT, "last_seen_at"),
    ),
)
PAST_ANOMALY = Shape(
    "PastAnomaly",
    (
        field("anomalyId", COUNT, "anomaly_id"),
        *ANOMALY.fields,
        field("judgedAt", INSTANT, "judged_at"),
        field("closedAt", INSTANT, "closed_at", nullable=True),
        Field("closeReason", TEXT, lambda anomaly: anomaly.close_reason, True),
        field("openedRatio", NUMBER, "opened_ratio", nullable=True),
        field("peakSpendUsd", MONEY, "peak_spend_pico"),
        field("peakRatio", NUMBER, "peak_ratio", nullable=True),
        Field("topCalls", ANY, lambda anomaly: anomaly.top_calls),
    ),
)
ANOMALIES = page_of("PastAnomalies", PAST_ANOMALY)
_BASELINE = Shape(
    "Baseline",
    (
        field("agentId", TEXT, "agent_id"),
        field("orgId", TEXT, "org_id"),
        field("baselineUsdPerHour", NUMBER, "baseline_usd_per_hour"),
        field("anomalyMultiplier", NUMBER, "anomaly_multiplier", nullable=True),
        field("updatedAt", INSTANT, "updated_at"),
        field("updatedBy", TEXT, "updated_by"),
    ),
)


def baseline_tag(row: Baseline) -> str:
    """The tag of a stated baseline, without quotes."""
    return half(_BASELINE.render(row))


BASELINE = Shape("Baseline", (*_BASELINE.fields, Field("etag", TEXT, lambda row: quoted(baseline_tag(row)))))
_HOUR_OF_WEEK = Shape(
    "HourOfWeek",
    (
        field("hourOfWeek", COUNT, "hour_of_week"),
        field("baselineUsdPerHour", NUMBER, "usd_per_hour"),
        field("activeHours", COUNT, "active_hours"),
    ),
)
SUGGESTION = Shape(
    "BaselineSuggestion",
    (
        field("agentId", TEXT, "agent_id"),
        field("orgId", TEXT, "org_id"),
        field("status", TEXT, "status"),
        field("baselineUsdPerHour", NUMBER, "baseline_usd_per_hour", nullable=True),
        field("thresholdUsdPerHour", NUMBER, "threshold_usd_per_hour", nullable=True),
        field("anomalyMultiplier", NUMBER, "anomaly_multiplier", nullable=True),
        field("statedBaselineUsdPerHour", NUMBER, "stated_usd_per_hour", nullable=True),
        field("activeHours", COUNT, "active_hours"),
        field("days", COUNT, "days"),
        field("since", INSTANT, "since", nullable=True),
        field("medianUsdPerHour", NUMBER, "median_usd_per_hour", nullable=True),
        field("madUsdPerHour", NUMBER, "mad_usd_per_hour", nullable=True),
        field("hoursOfWeek", _HOUR_OF_WEEK, "hours_of_week", many=True),
    ),
)

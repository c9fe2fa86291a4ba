"""The audit trail: who changed what, when, from what to what, and why."""

from datetime import datetime
from typing import NamedTuple

RATE_PUT = "rate.put"
RATE_ENDED = "rate.end"
DEPLOYMENT_PUT = "deployment.put"
DEPLOYMENT_DELETED = "deployment.delete"
BASELINE_PUT = "baseline.put"
BASELINE_DELETED = "baseline.delete"
ALERT_DESTINATION_PUT = "alertDestination.put"
ALERT_DESTINATION_DELETED = "alertDestination.delete"
ALERT_DESTINATION_TESTED = "alertDestination.test"
ALERT_DESTINATION_RETRIED = "alertDestination.retry"
ALERT_SILENCE_PUT = "alertSilence.put"
ALERT_SILENCE_ENDED = "alertSilence.end"
BUDGET_POSTED = "budget.post"
BUDGET_PUT = "budget.put"
BUDGET_DELETED = "budget.delete"
TOKEN_PUT = "token.put"
TOKEN_REVOKED = "token.revoke"
REPRICE_STARTED = "reprice.start"
REPRICE_FINISHED = "reprice.finish"
EXPORTED = "export.read"
RETENTION_PUT = "retention.put"
RETENTION_DELETED = "retention.delete"
RETENTION_APPLIED = "retention.apply"
ERASURE_STARTED = "erasure.start"
ERASURE_FINISHED = "erasure.finish"


class AuditRow(NamedTuple):
    """One row of the trail as it is kept."""

    seq: int
    at: datetime
    actor: str
    action: str
    org_id: str
    """Empty: every organisation."""
    subject: str
    """What was changed: a model, an agent, a run."""
    before: str | None
    """JSON; None where there was nothing before."""
    after: str | None
    """JSON; None where nothing is left."""
    reason: str
    prev_hash: bytes
    hash: bytes
    """SHA-256 over every other field."""

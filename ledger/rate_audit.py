"""Changes of rates in the audit trail, in the words of the contract."""

from finops.audit import RATE_ENDED, RATE_PUT
from finops.rate_listing import rate_fields
from finops.rates import OperatorRate
from ledger import audit
from ledger.pool import Connection
from ledger.rate_rows import operator_rate
from sql import query


async def version_before(connection: Connection, rate: OperatorRate) -> OperatorRate | None:
    """What a version that was just stored replaces; None where nothing was stated, or it had ended."""
    values = {"model": rate.model_id.lower(), "provider": rate.provider, "org": rate.org_id, "version": rate.version}
    row = await (await connection.execute(query("audit_rate_before"), values | {"source": rate.source})).fetchone()
    before = None if row is None else operator_rate(row)
    return None if before is None or before.ended else before


async def audit_rate(connection: Connection, before: OperatorRate | None, rate: OperatorRate) -> None:
    """Writes down a version that was just stored, beside the one that it replaces."""
    await audit.record(
        connection,
        at=rate.created_at,
        actor=rate.author,
        action=RATE_ENDED if rate.ended else RATE_PUT,
        subject=f"{rate.provider}/{rate.model_id}" if rate.provider else rate.model_id,
        org_id=rate.org_id,
        before=None if before is None else _told(before),
        after=None if rate.ended else _told(rate),
        reason=rate.reason,
    )


def _told(rate: OperatorRate) -> dict[str, object]:
    """A rate in the words of the contract."""
    amounts = {name: amount for name, amount in rate_fields(rate.stated).items() if amount is not None}
    who = {"provider": rate.provider, "modelId": rate.model_id, "orgId": rate.org_id}
    when = {"effectiveFrom": rate.effective_from, "dated": rate.dated, "version": rate.version}
    return {**who, **amounts, **when, "source": rate.source}

"""The audit trail in the database. A row is written by the transaction that makes the change, or neither is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from finops.audit import AuditRow
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

PAGE_MAX = 1000
"""Rows of the trail in one answer."""
_AFTER_ALL = 2**63 - 1
_encoder = msgspec.json.Encoder(decimal_format="number")


async def record(
    connection: Connection,
    *,
    at: datetime,
    actor: str,
    action: str,
    subject: str,
    org_id: str = "",
    before: object = None,
    after: object = None,
    reason: str = "",
) -> None:
    """Adds a row inside the open transaction. Locks the end of the trail until the commit: take other locks first."""
    values = {
        "at": at,
        "actor": actor,
        "action": action,
        "subject": subject,
        "org_id": org_id,
        "before": None if before is None else json_text(before),
        "after": None if after is None else json_text(after),
        "reason": reason,
    }
    await connection.execute(query("audit_record"), values)


def json_text(tree: object) -> str:
    """JSON with decimals as numbers, every digit kept."""
    return _encoder.encode(tree).decode()


async def hold_trail(connection: Connection) -> None:
    """Locks the end of the trail, for changes that are put in order by nothing else."""
    await connection.execute(query("audit_lock"))


async def first_broken_link(connection: Connection) -> int | None:
    """The first row that is not what was written, or does not follow the row before it; None where all is well."""
    row = await (await connection.execute(query("audit_verify"))).fetchone()
    return None if row is None else int(str(row[0]))


class AuditTrail:
    """The trail over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def note(self, *, at: datetime, actor: str, action: str, subject: str, org_id: str, after: object) -> None:
        """Adds a row about something that changed nothing."""
        named = {"actor": actor, "action": action, "subject": subject, "org_id": org_id}
        async with reaching(self._pool) as connection, connection.transaction():
            await record(connection, at=at, after=after, **named)

    async def page(
        self, *, limit: int, before: int | None, orgs: Sequence[str] | None, actions: Sequence[str] | None
    ) -> list[AuditRow]:
        """The newest rows first; ``before`` is the last ``seq`` of the page before."""
        values: dict[str, Any] = {
            "before": _AFTER_ALL if before is None else before,
            "limit": min(limit, PAGE_MAX),
            "orgs": None if orgs is None else list(orgs),
            "actions": None if actions is None else list(actions),
        }
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("audit_page"), values)).fetchall()
        return [AuditRow(*row) for row in rows]

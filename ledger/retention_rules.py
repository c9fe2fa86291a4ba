"""For how long organisations keep the names of users and sessions: listed, stated and taken back, and audited."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from finops.audit import RETENTION_DELETED, RETENTION_PUT
from finops.expiry import RetentionRule
from ledger import audit
from ledger.conditions import always
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

Holds = Callable[[RetentionRule | None], None]


class RetentionRules:
    """Rules over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def all(self, orgs: Sequence[str] | None = None) -> list[RetentionRule]:
        """By organisation, also those that were taken back."""
        async with reaching(self._pool) as connection:
            return await _rules(connection, orgs)

    async def put(
        self, org_id: str, identifier_days: int | None, actor: str, now: datetime, holds: Holds = always
    ) -> RetentionRule | None:
        """States a rule, or takes it back with None; returns the row, None where there was nothing to take back.

        ``holds`` is asked of the rule before it.
        """
        values = {"org_id": org_id, "identifier_days": identifier_days, "actor": actor, "now": now}
        async with reaching(self._pool) as connection, connection.transaction():
            await audit.hold_trail(connection)
            before = next(iter(await _rules(connection, [org_id])), None)
            stated = before if before is not None and before.identifier_days is not None else None
            if identifier_days is None and stated is None:
                return None
            holds(stated)
            row: Any = await (await connection.execute(query("retention_put"), values)).fetchone()
            await audit.record(
                connection,
                at=now,
                actor=actor,
                action=RETENTION_DELETED if identifier_days is None else RETENTION_PUT,
                subject=org_id,
                org_id=org_id,
                before=_told(stated),
                after=None if identifier_days is None else {"identifierDays": identifier_days},
            )
        return RetentionRule(*row)


def _told(rule: RetentionRule | None) -> dict[str, object] | None:
    return None if rule is None else {"identifierDays": rule.identifier_days}


async def _rules(connection: Connection, orgs: Sequence[str] | None) -> list[RetentionRule]:
    values = {"orgs": None if orgs is None else list(orgs)}
    rows: list[Any] = await (await connection.execute(query("retention_rules"), values)).fetchall()
    return [RetentionRule(*row) for row in rows]

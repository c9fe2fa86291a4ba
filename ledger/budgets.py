"""Budgets as operators state them: added, changed, deleted, each together with its row in the audit trail."""

from collections.abc import Callable
from datetime import datetime

from psycopg import Rollback

from finops.audit import BUDGET_DELETED, BUDGET_POSTED, BUDGET_PUT
from finops.budget_periods import WEEKDAYS
from finops.budgets import Budget
from finops.money import usd
from ledger import alerts, audit
from ledger.budget_rows import budget_from, budget_values, firing_from, firing_key, firing_values
from ledger.conditions import always
from ledger.pool import EVERYBODY, Connection, Pool
from ledger.reading import reaching
from sql import query

PAGE_MAX = 1000
_AFTER_ALL = 2**63 - 1


class BudgetStore:
    """The budgets over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, *, limit: int, before: int | None, org: str | None) -> list[Budget]:
        """The newest first; ``before`` is the last number of the page before, ``org`` leaves only that one's own."""
        values = {"limit": min(limit, PAGE_MAX), "before": _AFTER_ALL if before is None else before, "org": org}
        async with reaching(self._pool) as connection:
            rows = await (await connection.execute(query("budgets_page"), values)).fetchall()
        return [budget_from(row) for row in rows]

    async def every(self) -> list[Budget]:
        """All of them, the oldest first."""
        found: list[Budget] = []
        while page := await self.page(limit=PAGE_MAX, before=found[-1].number if found else None, org=None):
            found += page
        return found[::-1]

    async def version(self) -> str:
        """Another text whenever any budget has changed."""
        async with reaching(self._pool) as connection:
            rows = await (await connection.execute(query("budgets_version"))).fetchall()
        return str(rows[0][0])

    async def one(self, budget_id: str) -> Budget | None:
        """The budget of this id."""
        async with reaching(self._pool) as connection:
            return await _one(connection, "budget_one", budget_id)

    async def add(self, budget: Budget, budgets_max: int, reason: str = "") -> Budget | None:
        """Stores a new budget; None where there are ``budgets_max`` already."""
        stored: Budget | None = None
        async with reaching(self._pool) as connection, connection.transaction():
            await connection.execute(query("budgets_lock"))
            await connection.execute(query("budget_insert"), budget_values(budget))
            await _record(connection, BUDGET_POSTED, None, budget, reason)
            stored = await _one(connection, "budget_one", budget.budget_id)
            await connection.execute(query("wall"), {"speaks_for": EVERYBODY})
            row = await (await connection.execute(query("budgets_count"))).fetchone()
            if row is None or int(str(row[0])) > budgets_max:
                stored = None
                raise Rollback
        return stored

    async def put(self, budget: Budget, reason: str = "", holds: Callable[[Budget], None] = always) -> Budget | None:
        """States a budget anew; None where there is none of its id.

        A budget that counts something else now has told nothing yet; one with only another limit keeps what was told.
        ``holds`` is asked of the one before it.
        """
        assert budget.updated_at is not None
        async with reaching(self._pool) as connection, connection.transaction():
            before = await _one(connection, "budget_hold", budget.budget_id)
            if before is None:
                return None
            holds(before)
            counted = (before.scope, before.each, before.rule, before.limit_pico)
            same = counted == (budget.scope, budget.each, budget.rule, budget.limit_pico)
            after = budget._replace(
                created_at=before.created_at,
                number=before.number,
                counted_since=before.counted_since if same else budget.updated_at,
            )
            if counted[:3] != (budget.scope, budget.each, budget.rule):
                await _forget_told(connection, before, budget.updated_at)
            await connection.execute(query("budget_update"), budget_values(after))
            await _record(connection, BUDGET_PUT, before, after, reason)
        return after

    async def delete(self, budget_id: str, actor: str, now: datetime, holds: Callable[[Budget], None] = always) -> bool:
        """Removes a budget and resolves its alerts; False where there is none."""
        async with reaching(self._pool) as connection, connection.transaction():
            before = await _one(connection, "budget_hold", budget_id)
            if before is None:
                return False
            holds(before)
            await _forget_told(connection, before, now)
            await connection.execute(query("budget_delete"), {"budget_id": budget_id})
            await _record(connection, BUDGET_DELETED, before._replace(updated_by=actor, updated_at=now), None, "")
            return True


async def one(connection: Connection, budget_id: str) -> Budget | None:
    """The budget as the open transaction sees it; None where there is none."""
    return await _one(connection, "budget_one", budget_id)


async def _one(connection: Connection, statement: str, budget_id: str) -> Budget | None:
    row = await (await connection.execute(query(statement), {"budget_id": budget_id})).fetchone()
    return None if row is None else budget_from(row)


async def _forget_told(connection: Connection, budget: Budget, now: datetime) -> None:
    values = {"budget_id": budget.budget_id, "since": now}
    rows = await (await connection.execute(query("budget_firings"), values)).fetchall()
    for firing in map(firing_from, rows):
        if firing.cleared_at is None:
            await connection.execute(query("budget_clear"), {**firing_values(budget, firing), "at": now})
            await alerts.resolve(connection, firing_key(budget, firing), now)
    await connection.execute(query("budget_forget"), values)


async def _record(
    connection: Connection, action: str, before: Budget | None, after: Budget | None, reason: str
) -> None:
    about = after or before
    assert about is not None
    assert about.updated_at is not None
    org = about.scope.org[0] if about.scope.org is not None and len(about.scope.org) == 1 else ""
    told = [None if row is None else _document(row) for row in (before, after)]
    named = {"actor": about.updated_by, "action": action, "subject": about.budget_id, "org_id": org, "reason": reason}
    await audit.record(connection, at=about.updated_at, before=told[0], after=told[1], **named)


def _document(budget: Budget) -> dict[str, object]:
    rule, raised = budget.rule, budget.raised
    return {
        "name": budget.name,
        "scope": {name: values for name, values in budget.scope._asdict().items() if values is not None},
        "each": budget.each,
        "period": rule.unit,
        "tz": rule.zone,
        "weekStartsOn": WEEKDAYS[rule.week_starts_on],
        "rollingHours": rule.rolling_hours or None,
        "limitUsd": usd(budget.limit_pico),
        "thresholds": list(budget.thresholds),
        "mode": budget.mode,
        "onUnknown": budget.on_unknown,
        "raise": None if raised is None else {"limitUsd": usd(raised.limit_pico), "until": raised.until},
    }

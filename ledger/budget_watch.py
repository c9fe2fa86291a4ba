"""Tells thresholds: looks at every budget now and then, and fires each threshold once a period.

One budget a transaction: its spend and what was told are read as of one moment, and what is to be told now is written
together with the alert, unless somebody else has told something since that moment. So whoever looks, however often, and
whenever it was cut off, each is told once. A calendar budget's last
period is looked at too, since its last calls may come late. Who leads, and the clock, are left to the judge.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from finops.budget_periods import Span, period_at, period_before
from finops.budget_thresholds import Firing, Turn, limit_in, turn
from finops.budgets import Budget, Spend, reaches
from ledger import alerts, budgets
from ledger.budget_alerts import alert_of
from ledger.budget_rows import firing_from, firing_key, firing_values
from ledger.budgets import BudgetStore
from ledger.pool import Connection, Pool
from ledger.reading import Look, look_and_write, reaching
from ledger.spending import knows_calls, members_since, spend, spend_by_member
from sql import query

EVERY = timedelta(seconds=10)
TOLD_FOR = timedelta(days=200)
"""For how long a told threshold that is over is remembered: longer than any period and the one before it."""
APPEND_LASTS_MAX = timedelta(minutes=2)
"""An entry is seen at the latest this long after the time it carries as that of its recording."""
_NEVER = datetime.min.replace(tzinfo=UTC)


class BudgetWatch:
    """A pass of the judge. What it remembers of its own looks only saves it work."""

    name = "budgets"

    def __init__(self, pool: Pool, every: timedelta = EVERY) -> None:
        self._pool = pool
        self._store = BudgetStore(pool)
        self._every = every
        self._looked: dict[str, tuple[datetime, datetime | None]] = {}
        """By budget: when it was looked at, and which statement of it that was."""

    async def run(self, now: datetime) -> None:
        """Looks at the budgets that are due, those not looked at for longest first."""
        every = await self._store.every()
        self._looked = {one.budget_id: self._looked[one.budget_id] for one in every if one.budget_id in self._looked}
        due = [one for one in every if self._is_due(one, now)]
        for budget in sorted(due, key=self._looked_at):
            await self._look_at(budget.budget_id, now)
        if due:
            async with reaching(self._pool) as connection:
                await connection.execute(query("budget_forget_old"), {"edge": now - TOLD_FOR})

    def _is_due(self, budget: Budget, now: datetime) -> bool:
        looked = self._looked.get(budget.budget_id)
        return looked is None or looked[1] != budget.updated_at or abs(now - looked[0]) >= self._every

    def _looked_at(self, budget: Budget) -> datetime:
        return self._looked.get(budget.budget_id, (_NEVER,))[0]

    async def _look_at(self, budget_id: str, now: datetime) -> None:
        known = self._looked.get(budget_id)
        # Where this look fails, the other budgets come first the next time, and this one is looked at as if anew.
        self._looked[budget_id] = (now, None)
        async with look_and_write(self._pool) as ledger:
            connection = ledger.connection
            budget = await budgets.one(connection, budget_id)
            if budget is None:
                return
            since = known[0] - APPEND_LASTS_MAX if known is not None and known[1] == budget.updated_at else None
            told = await _told(connection, budget, now)
            for span in _spans(budget, now):
                spends = await _spends(connection, ledger, budget, span, now, told, since)
                await _write(connection, budget, span, turn(budget, span, now, spends, told), now)
        self._looked[budget_id] = (now, budget.updated_at)


def _spans(budget: Budget, now: datetime) -> list[Span]:
    """The period before, where the budget counted then already, and the one that is running."""
    current = period_at(budget.rule, now)
    if budget.rule.rolls:
        return [current]
    before = period_before(budget.rule, current)
    return [before, current] if budget.counted_since is None or before.end > budget.counted_since else [current]


async def _told(connection: Connection, budget: Budget, now: datetime) -> list[Firing]:
    values = {"budget_id": budget.budget_id, "since": now - TOLD_FOR}
    rows = await (await connection.execute(query("budget_firings"), values)).fetchall()
    return [firing_from(row) for row in rows]


async def _spends(
    connection: Connection,
    ledger: Look,
    budget: Budget,
    span: Span,
    now: datetime,
    told: list[Firing],
    since: datetime | None,
) -> Mapping[str, Spend]:
    """The members that matter to ``turn``: those with a threshold reached, and those of whom one stands."""
    if budget.each is None:
        return {"": await spend(ledger, budget.scope, span)}
    standing = {one.member for one in told if one.cleared_at is None}
    if since is None or not knows_calls(budget.scope, budget.each):
        found = await spend_by_member(ledger, budget.scope, budget.each, span)
    else:
        changed = await members_since(connection, budget.scope, budget.each, span, since)
        found = {}
        if asked := tuple(sorted({*changed, *standing})):
            scope = budget.scope._replace(**{budget.each.value: asked})
            found = dict(await spend_by_member(ledger, scope, budget.each, span))
    lowest, limit = min(budget.thresholds), limit_in(budget, span, now)
    return {member: one for member, one in found.items() if member in standing or reaches(one.cost_pico, lowest, limit)}


async def _write(connection: Connection, budget: Budget, span: Span, found: Turn, now: datetime) -> None:
    if found.clear or found.fire:
        await connection.execute(query("budget_turn"), {"budget_id": budget.budget_id})
    for firing in found.clear:
        await connection.execute(query("budget_clear"), {**firing_values(budget, firing), "at": now})
        await alerts.resolve(connection, firing_key(budget, firing), now)
    for firing in found.fire:
        await connection.execute(query("budget_fire"), firing_values(budget, firing))
        await alerts.fire(connection, alert_of(budget, firing, span), now)

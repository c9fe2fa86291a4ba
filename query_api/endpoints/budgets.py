"""What may be spent, as operators state it, and where it stands."""

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from finops.budget_periods import Span, period_at
from finops.budgets import Budget, Spend, Standing, standings
from query_api.budget_answers import BUDGET, BUDGETS, StoodBudget, budget_tag
from query_api.budget_bodies import budget_of, may_see
from query_api.budget_desk import BudgetDesk
from query_api.exchange import Answer, Ask, told, told_tagged
from query_api.paging import Page
from query_api.problems import Problem, not_found

MEMBERS_TOLD_MAX = 100
"""Members of one budget told one by one, those that stand worst."""


class Budgets(Protocol):
    """What is asked of the ledger."""

    async def page(self, *, limit: int, before: int | None, org: str | None) -> list[Budget]: ...
    async def one(self, budget_id: str) -> Budget | None: ...
    async def add(self, budget: Budget, budgets_max: int, reason: str = "") -> Budget | None:
        """None where there are so many already."""

    async def put(self, budget: Budget, reason: str, holds: Callable[[Budget], None]) -> Budget | None: ...
    async def delete(self, budget_id: str, actor: str, now: datetime, holds: Callable[[Budget], None]) -> bool: ...


class BudgetEndpoints:
    """Endpoints over the budgets. A token of one organisation knows only those that count that one alone."""

    def __init__(self, budgets: Budgets, desk: BudgetDesk, budgets_max: int, new_id: Callable[[], UUID]) -> None:
        self._budgets = budgets
        self._desk = desk
        self._budgets_max = budgets_max
        self._new_id = new_id

    async def page(self, ask: Ask) -> Answer:
        """The newest first."""
        limit = ask.values["limit"]
        rows = await self._budgets.page(limit=limit, before=ask.values["cursor"], org=ask.grant.org_id)
        stood = await self._stood(rows, ask.now, 0)
        return told(BUDGETS, Page(stood, rows[-1].number if len(rows) == limit else None))

    async def one(self, ask: Ask) -> Answer:
        """One budget, member by member where each has a limit of its own."""
        return await self._told(await self._seen(ask), ask.now)

    async def post(self, ask: Ask) -> Answer:
        """States a new budget."""
        stated, reason = budget_of(ask, self._new_id())
        stored = await self._budgets.add(stated, self._budgets_max, reason)
        if stored is None:
            detail = f"there are {self._budgets_max} budgets already (FINOPS_BUDGETS_MAX): delete one first"
            raise Problem(HTTPStatus.CONFLICT, detail)
        self._desk.changed()
        return await self._told(stored, ask.now)

    async def put(self, ask: Ask) -> Answer:
        """States a budget anew, all of it."""
        before = await self._seen(ask)
        stated, reason = budget_of(ask, UUID(before.budget_id))
        raised, old = stated.raised, before.raised
        if raised is not None and old is not None and raised._replace(since=old.since) == old:
            stated = stated._replace(raised=old)
        stored = await self._budgets.put(stated, reason, _condition(ask))
        if stored is None:
            raise not_found("no such budget")
        self._desk.changed()
        return await self._told(stored, ask.now)

    async def delete(self, ask: Ask) -> Answer:
        """Removes a budget and resolves its alerts."""
        budget = await self._seen(ask)
        if not await self._budgets.delete(budget.budget_id, ask.grant.name, ask.now, _condition(ask)):
            raise not_found("no such budget")
        self._desk.changed()
        return Answer(b"", status=HTTPStatus.NO_CONTENT)

    async def _seen(self, ask: Ask) -> Budget:
        try:
            found = await self._budgets.one(str(UUID(ask.path["id"])))
        except ValueError:
            found = None
        if found is None or not may_see(ask.grant, found):
            raise not_found("no such budget")
        return found

    async def _told(self, budget: Budget, now: datetime) -> Answer:
        stood = (await self._stood([budget], now, MEMBERS_TOLD_MAX))[0]
        return told_tagged(BUDGET, stood, budget_tag(budget), tells_more=True)

    async def _stood(self, budgets: list[Budget], now: datetime, members_max: int) -> list[StoodBudget]:
        """Read now, not from memory: whoever asks here wants to know exactly."""
        asked = [(budget, period_at(budget.rule, now)) for budget in budgets]
        spends = await self._desk.reports.members(asked)
        return [_told_of(*one, found, now, members_max) for one, found in zip(asked, spends, strict=True)]


def _told_of(budget: Budget, span: Span, spends: Mapping[str, Spend], now: datetime, members_max: int) -> StoodBudget:
    found = sorted(standings(budget, span, now, spends), key=_worst_first)
    return StoodBudget(budget, found, found[:members_max] if budget.each is not None else (), now)


def _condition(ask: Ask) -> Callable[[Budget], None]:
    return lambda before: ask.conditions.check(budget_tag(before))


def _worst_first(one: Standing) -> tuple[int, int]:
    return -one.state.rank, -one.spend.cost_pico

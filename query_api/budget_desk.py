"""Where the budgets of a caller stand, quickly: what was read from the ledger a moment ago serves many questions."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from finops.budget_periods import Span, period_at
from finops.budgets import Budget, BudgetIndex, Caller, Spend, Standing
from finops.price_book import PriceBook
from query_api.gathered import Gathered
from query_api.remembered import Freshness, Remembered


class BudgetReports(Protocol):
    """What is asked of the ledger."""

    def shows(self, budget: Budget) -> bool: ...
    async def budgets(self) -> list[Budget]:
        """The same list as before where none has changed."""

    async def spends(self, asked: Sequence[tuple[Budget, str, Span]]) -> list[Spend]: ...
    async def members(self, asked: Sequence[tuple[Budget, Span]]) -> list[dict[str, Spend]]: ...
    async def book(self) -> PriceBook: ...


class Stood(NamedTuple):
    """Where budgets stand, and how old the oldest figure in it is."""

    standings: list[Standing]
    age_seconds: float


class BudgetDesk:
    """Answers from memory while it is fresh enough; a change of budgets in this process is seen at once."""

    def __init__(self, reports: BudgetReports, freshness: Freshness, monotonic: Callable[[], float]) -> None:
        self.reports = reports
        self._listed: list[Budget] = []
        self._last_index = BudgetIndex(self._listed)
        self._index: Remembered[BudgetIndex] = Remembered(freshness, monotonic)
        self._spends: Gathered[tuple[Budget, str, Span], Spend] = Gathered(reports.spends, freshness, monotonic)
        self._members: Remembered[list[dict[str, Spend]]] = Remembered(freshness, monotonic)
        self._books: Remembered[PriceBook] = Remembered(freshness, monotonic)

    async def book(self) -> PriceBook:
        """The price book of a moment ago."""
        return (await self._books.get("book", self.reports.book))[0]

    async def budgets(self) -> tuple[BudgetIndex, float]:
        """Every budget as of a moment ago, and that moment's age in seconds."""
        return await self._index.get("budgets", self._read_index)

    async def of(self, caller: Caller, now: datetime) -> Stood:
        """Where every budget stands that counts ``caller``."""
        index, age = await self.budgets()
        asked = [self._standing(budget, budget.member_of(caller), now) for budget in index.of(caller)]
        found = await asyncio.gather(*asked) if len(asked) > 1 else [await one for one in asked]
        return Stood([one for one, _ in found], max([age, *(its for _, its in found)]))

    async def members(self, budgets: Sequence[Budget], now: datetime) -> list[dict[str, Spend]]:
        """What the members of each of these budgets had spent a moment ago."""
        asked = [(budget, period_at(budget.rule, now)) for budget in budgets]
        key = tuple(_key(budget, "", span) for budget, span in asked)
        return (await self._members.get(key, lambda: self.reports.members(asked)))[0]

    def changed(self) -> None:
        """Budgets were changed here."""
        self._index.forget()

    async def _standing(self, budget: Budget, member: str, now: datetime) -> tuple[Standing, float]:
        span = period_at(budget.rule, now)
        key = _key(budget, member, span)
        spend, age = await self._spends.get(key, (budget, member, span))
        return Standing(budget, member, span, budget.limit_at(now), spend), age

    async def _read_index(self) -> BudgetIndex:
        budgets = await self.reports.budgets()
        if self._listed is not budgets:
            self._listed, self._last_index = budgets, BudgetIndex(budgets)
        return self._last_index


def _key(budget: Budget, member: str, span: Span) -> tuple[object, ...]:
    """A new calendar period, or a budget stated anew, is never answered from what was read before."""
    return budget.budget_id, budget.updated_at, member, None if budget.rule.rolls else span.start

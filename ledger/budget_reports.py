"""What budgets have counted, for whoever holds a pool and no connection."""

from collections.abc import Sequence

from finops.budget_periods import Span
from finops.budgets import Budget, Spend
from finops.price_book import PriceBook
from ledger.budgets import BudgetStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reading import look, reaching
from ledger.spending import spend, spend_by_member, spend_of_members
from ledger.tenants import speaking_for, spoken_for, walled_org


class BudgetReports:
    """Spend by budget over a pool, for memories that serve every organisation: who asked first does not matter.

    Raises ``LedgerUnavailable`` where the database cannot answer in time."""

    def __init__(self, pool: Pool, rates: RateStore) -> None:
        self._pool = pool
        self._rates = rates
        self._store = BudgetStore(pool)

    def shows(self, budget: Budget) -> bool:
        """Whether the organisation spoken for may know of the budget; where nobody is spoken for, nobody may."""
        org_id = walled_org()
        return spoken_for() is not None and (org_id is None or budget.scope.org == (org_id,))

    async def budgets(self) -> list[Budget]:
        """Every budget, the oldest first."""
        with speaking_for(None):
            return await self._store.every()

    async def spends(self, asked: Sequence[tuple[Budget, str, Span]]) -> list[Spend]:
        """What members have spent, as of one moment, in the order asked; '' is the pool where all count together.

        Members of one budget and period are read by one query.
        """
        together: dict[tuple[str, Span], tuple[Budget, dict[str, None]]] = {}
        for budget, member, span in asked:
            together.setdefault((budget.budget_id, span), (budget, {}))[1][member] = None
        found: dict[tuple[str, str, Span], Spend] = {}
        with speaking_for(None):
            async with look(self._pool) as ledger:
                for (budget_id, span), (budget, members) in together.items():
                    spent = await spend_of_members(ledger, budget.scope, budget.each, tuple(members), span)
                    found |= {(budget_id, member, span): one for member, one in spent.items()}
        return [found[budget.budget_id, member, span] for budget, member, span in asked]

    async def members(self, budget: Budget, span: Span) -> dict[str, Spend]:
        """What every member has spent, the highest first; of a pooled budget the one pool, under ''."""
        with speaking_for(None):
            async with look(self._pool) as ledger:
                if budget.each is None:
                    return {"": await spend(ledger, budget.scope, span)}
                return await spend_by_member(ledger, budget.scope, budget.each, span)

    async def book(self) -> PriceBook:
        """The price book that holds now."""
        with speaking_for(None):
            async with reaching(self._pool) as connection:
                return await self._rates.load_book(connection)

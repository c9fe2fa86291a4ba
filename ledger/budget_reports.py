"""What budgets have counted, for whoever holds a pool and no connection."""

from collections.abc import Sequence

from finops.budget_periods import Span
from finops.budgets import Budget, Spend
from finops.price_book import PriceBook
from ledger.budgets import BudgetStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reading import look, reaching
from ledger.spending import Group, spends_of_groups
from ledger.spending_together import spends_together
from ledger.tenants import speaking_for, spoken_for, walled_org


class BudgetReports:
    """Spend by budget, for memories that serve every organisation: who asked first does not matter.

    What decisions rest on is read over ``deciding``, and never waits for the rest. Raises ``LedgerUnavailable`` where
    the database cannot answer in time.
    """

    def __init__(self, pool: Pool, deciding: Pool, rates: RateStore) -> None:
        self._pool = pool
        self._deciding = deciding
        self._rates = rates
        self._store = BudgetStore(deciding)
        self._known: tuple[str, list[Budget]] | None = None

    def shows(self, budget: Budget) -> bool:
        """Whether the organisation spoken for may know of the budget; where nobody is spoken for, nobody may."""
        org_id = walled_org()
        return spoken_for() is not None and (org_id is None or budget.scope.org == (org_id,))

    async def budgets(self) -> list[Budget]:
        """Every budget, the oldest first; the same list as before where none has changed."""
        with speaking_for(None):
            version = await self._store.version()
            if self._known is None or self._known[0] != version:
                self._known = version, await self._store.every()
            return self._known[1]

    async def spends(self, asked: Sequence[tuple[Budget, str, Span]]) -> list[Spend]:
        """What members have spent, as of one moment, in the order asked; '' is the pool where all count together.

        Members of one budget and period are read by one query, and all queries are sent together.
        """
        # Who is not named is apart: names are found by an index, and their query would not be.
        together: dict[tuple[str, Span, bool], tuple[Budget, dict[str, None]]] = {}
        for budget, member, span in asked:
            together.setdefault((budget.budget_id, span, member == ""), (budget, {}))[1][member] = None
        groups = [Group(one.scope, one.each, tuple(members), key[1]) for key, (one, members) in together.items()]
        with speaking_for(None):
            spends = dict(zip(together, await spends_of_groups(self._deciding, groups), strict=True))
        return [spends[budget.budget_id, span, member == ""][member] for budget, member, span in asked]

    async def members(self, asked: Sequence[tuple[Budget, Span]]) -> list[dict[str, Spend]]:
        """What every member of each budget has spent, as of one moment; of a pooled budget the one pool, under ''."""
        with speaking_for(None):
            async with look(self._pool) as ledger:
                return await spends_together(ledger, asked)

    async def book(self) -> PriceBook:
        """The price book that holds now."""
        with speaking_for(None):
            async with reaching(self._deciding) as connection:
                return await self._rates.load_book(connection)

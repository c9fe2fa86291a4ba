"""Gauges of budgets: a series for each budget up to a limit, never one for each member."""

from collections.abc import Mapping
from datetime import datetime

from finops.budget_periods import period_at
from finops.budgets import Budget, Spend, Standing, State, standings
from finops.money import usd
from query_api.budget_bodies import may_see
from query_api.budget_desk import BudgetDesk
from query_api.exchange import Ask
from query_api.exposition import Family, Labels, Sample

NAME = "finops_budget"


class BudgetGauges:
    """Where budgets stand, for a scraper; the oldest budgets have series, and how many have none is told."""

    def __init__(self, desk: BudgetDesk, series_max: int) -> None:
        self._desk = desk
        self._series_max = series_max

    async def families(self, ask: Ask) -> list[Family]:
        """Of a budget with members: those of the member that stands worst, and how many are exceeded."""
        index, _ = await self._desk.budgets()
        seen = [budget for budget in index.budgets if may_see(ask.grant, budget) and self._desk.reports.shows(budget)]
        shown = seen[: self._series_max]
        spends = await self._desk.members(shown, ask.now) if shown else []
        return gauges([_stood(*one, ask.now) for one in zip(shown, spends, strict=True)], len(seen))


def _stood(budget: Budget, spends: Mapping[str, Spend], now: datetime) -> list[Standing]:
    found = standings(budget, period_at(budget.rule, now), now, spends)
    return sorted(found, key=lambda one: (one.state.rank, one.spend.cost_pico), reverse=True)


def gauges(stood: list[list[Standing]], count: int) -> list[Family]:
    """Families of the budgets that are shown, each the list of its members with the worst first."""
    labels: list[Labels] = [(("budget", one[0].budget.name), ("budget_id", one[0].budget.budget_id)) for one in stood]
    named = list(zip(labels, stood, strict=True))
    spent = [Sample("", name, usd(one[0].spend.cost_pico)) for name, one in named]
    limits = [Sample("", name, usd(one[0].limit_pico)) for name, one in named]
    remaining = [
        Sample("", name, usd(one[0].remaining_pico)) for name, one in named if one[0].remaining_pico is not None
    ]
    states = [
        Sample("", (*name, ("state", state.value)), int(one[0].state is state))
        for name, one in named
        for state in State
    ]
    over = [Sample("", name, sum(member.state is State.EXCEEDED for member in one)) for name, one in named]
    unpriced = [Sample("", name, sum(member.spend.unpriced_calls for member in one)) for name, one in named]
    return [
        Family(f"{NAME}s", "gauge", "Budgets stated.", [Sample("", (), count)]),
        Family(f"{NAME}s_without_series", "gauge", "Budgets beyond the limit.", [Sample("", (), count - len(stood))]),
        Family(f"{NAME}_spent_usd", "gauge", "Priced spend in the period, of the worst member.", spent),
        Family(f"{NAME}_limit_usd", "gauge", "The limit that holds.", limits),
        Family(f"{NAME}_remaining_usd", "gauge", "What is left; absent where it is not known.", remaining),
        Family(f"{NAME}_state", "gauge", "1 for the state it is in.", states),
        Family(f"{NAME}_exceeded_members", "gauge", "Members that have used up their limit.", over),
        Family(f"{NAME}_unpriced_calls", "gauge", "Calls in the period without a price.", unpriced),
    ]

"""Where many budgets stand, read once for all that have the same period: a list of hundreds is a few queries.

What everybody spent in the period is shared out among the budgets that count it. Where that is too much to read, or
late entries are not in the sums yet, each budget is asked by itself: the figures are the same.
"""

import asyncio
from collections.abc import Sequence

from finops.budget_periods import Span
from finops.budgets import Budget, BudgetIndex, Caller, Spend
from ledger.reading import Look, Row
from ledger.spending import bounds, complete, knows_calls, spend, spend_by_member

ROWS_MAX = 20_000
"""Who can be told apart in one period; with more, each budget is asked by itself."""
AT_A_STRETCH = 200
"""Rows shared out before others have their turn."""


async def spends_together(ledger: Look, asked: Sequence[tuple[Budget, Span]]) -> list[dict[str, Spend]]:
    """What the members of every budget have spent, in the order asked; of a pooled one the pool, under ''."""
    groups: dict[tuple[Span, bool], list[int]] = {}
    for place, (budget, span) in enumerate(asked):
        groups.setdefault((span, knows_calls(budget.scope, budget.each)), []).append(place)
    found: dict[int, dict[str, Spend]] = {}
    for (span, by_call), places in groups.items():
        budgets = [asked[place][0] for place in places]
        shared = await _shared(ledger, budgets, span, by_call) if len(places) > 1 else None
        if shared is None:
            shared = [await _alone(ledger, budget, span) for budget in budgets]
        found |= zip(places, shared, strict=True)
    return [found[place] for place in range(len(asked))]


async def _alone(ledger: Look, budget: Budget, span: Span) -> dict[str, Spend]:
    if budget.each is None:
        return {"": await spend(ledger, budget.scope, span)}
    return await spend_by_member(ledger, budget.scope, budget.each, span)


async def _shared(ledger: Look, budgets: list[Budget], span: Span, by_call: bool) -> list[dict[str, Spend]] | None:
    """None where it cannot be told this way."""
    if ledger.pending_ranges and not by_call:
        return None
    name = "spend_by_caller_and_call" if by_call else "spend_by_caller"
    rows = await ledger.rows(name, {**bounds(span), "limit": ROWS_MAX + 1})
    if len(rows) > ROWS_MAX:
        return None
    kept = await complete(ledger, span) if by_call else True
    spends = await _share_out(rows, budgets, kept)
    return [
        spends[budget.budget_id] or ({"": Spend(complete=kept)} if budget.each is None else {}) for budget in budgets
    ]


async def _share_out(rows: Sequence[Row], budgets: list[Budget], kept: bool) -> dict[str, dict[str, Spend]]:
    index = BudgetIndex(budgets)
    sums: dict[str, dict[str, tuple[int, int, int]]] = {budget.budget_id: {} for budget in budgets}
    for number, (*names, cost, calls, unpriced) in enumerate(rows):
        if number % AT_A_STRETCH == 0:
            await asyncio.sleep(0)
        caller = Caller(*names)
        for budget in index.of(caller):
            members, member = sums[budget.budget_id], budget.member_of(caller)
            before = members.get(member, (0, 0, 0))
            members[member] = before[0] + int(cost), before[1] + calls, before[2] + unpriced
    return {
        budget_id: {member: Spend(*one, kept) for member, one in members.items() if one[0] or one[1]}
        for budget_id, members in sums.items()
    }

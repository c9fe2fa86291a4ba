"""What a budget has counted is what the entries add up to: every scope, every period, late and corrected calls too."""

import random
from datetime import timedelta
from typing import Any

import pytest
from budget_world import MODEL, NOW, USD, a_budget, a_ledger, dollar_rates, ns, spent
from sums_world import agent_above, refreshed

from finops.budget_periods import PeriodRule, Span, Unit, period_at
from finops.budgets import BudgetScope, Dimension
from ledger.jobs import autocommit
from ledger.pool import Pool, configure
from ledger.reading import look
from ledger.spending import Group, spend, spend_by_member, spends_of_groups
from ledger.spending_together import spends_together
from ledger.tenants import speaking_for

RULES = [
    PeriodRule(Unit.HOUR, "Asia/Kathmandu"),
    PeriodRule(Unit.DAY, "Europe/Berlin"),
    PeriodRule(Unit.WEEK, "UTC", 3),
    PeriodRule(Unit.MONTH, "America/St_Johns"),
    PeriodRule(Unit.ROLLING, rolling_hours=5),
    PeriodRule(Unit.ROLLING, rolling_hours=49),
]
SCOPES = [
    BudgetScope(),
    BudgetScope(org=("org-1",)),
    BudgetScope(team=("red", "")),
    BudgetScope(agent=("agent-1", "agent-2"), environment=("prod",)),
    BudgetScope(model=("unheard-of",)),
    BudgetScope(session=("session-3",)),
    BudgetScope(user=("ann", "bob"), org=("org-0",)),
    BudgetScope(user=("",)),
    BudgetScope(session=("session-4", "session-5"), user=("ann",)),
    BudgetScope(agent=("nobody",)),
]


def calls(count: int, chance: random.Random, first: int = 0) -> list[Any]:
    return [
        spent(
            number,
            chance.randrange(1, 50),
            NOW - timedelta(minutes=chance.choice((0, 3, 50, 300, 2000, 5000)) + chance.randrange(40)),
            chance.choice((MODEL, MODEL, MODEL, "unheard-of")),
            org=f"org-{number % 2}",
            team=chance.choice(("red", "blue", "")),
            agent=f"agent-{number % 3}",
            session=f"session-{number % 7}",
            user=chance.choice(("ann", "bob", "")),
            environment=chance.choice(("prod", "test")),
        )
        for number in range(first, first + count)
    ]


async def summed(pool: Pool, scope: BudgetScope, span: Span, each: str = "''") -> dict[str, tuple[int, int, int]]:
    columns = zip(scope._fields, scope, strict=True)
    wheres = [f"{name if name == 'environment' else name + '_id'} = any(%({name})s)" for name, of in columns if of]
    text = (
        f"select {each}, coalesce(sum(cost_pico), 0)::bigint, sum(calls)::bigint, sum(unpriced_calls)::bigint"
        f" from entries where event_time >= %(start)s and event_time < %(end)s and {' and '.join(wheres) or 'true'}"
        " group by 1 having sum(calls) <> 0"
    )
    values = {name: list(of) for name, of in scope._asdict().items() if of} | span._asdict()
    async with pool.connection() as connection:
        rows: list[Any] = await (await connection.execute(text, values)).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


async def assert_the_same(pool: Pool) -> None:
    for rule in RULES:
        span = period_at(rule, NOW)
        for scope in SCOPES:
            async with look(pool) as ledger:
                whole = await spend(ledger, scope, span)
            expected = (await summed(pool, scope, span)).get("", (0, 0, 0))
            assert (whole.cost_pico, whole.calls, whole.unpriced_calls) == expected, (rule, scope)
        for each, column in ((Dimension.AGENT, "agent_id"), (Dimension.USER, "user_id")):
            async with look(pool) as ledger:
                found = await spend_by_member(ledger, SCOPES[1], each, span)
            assert {name: tuple(one[:3]) for name, one in found.items()} == await summed(pool, SCOPES[1], span, column)


async def assert_many_at_once_are_told_the_same(pool: Pool) -> None:
    """By one query for all budgets of a period, by one for each, and all sent together: what each is told alone."""
    every = [
        (a_budget(rule=rule, scope=scope, each=each), period_at(rule, NOW))
        for rule in RULES
        for scope in SCOPES
        for each in (None, Dimension.AGENT, Dimension.USER)
    ]
    async with look(pool) as ledger:
        together = await spends_together(ledger, every)
        alone = [(await spends_together(ledger, [one]))[0] for one in every]
    assert together == alone
    groups = [Group(one.scope, one.each, tuple(found), span) for (one, span), found in zip(every, alone, strict=True)]
    with speaking_for(None):
        assert await spends_of_groups(pool, groups) == alone


async def test_every_scope_and_period_adds_up_also_while_late_calls_wait(ledger_pool: Pool, database_url: str) -> None:
    chance = random.Random(5)
    await dollar_rates(ledger_pool)
    ledger = a_ledger(ledger_pool)
    await ledger.append(calls(60, chance), [], ns(NOW))
    async with await autocommit(database_url)() as leader:
        await configure(leader)
        await refreshed(leader, NOW)
        await assert_the_same(ledger_pool)
        late = calls(60, chance, first=100)
        await ledger.append(late, [], ns(NOW))
        moved = late[0]
        await ledger.append([agent_above(moved), moved._replace(parent_id=(10**9).to_bytes(8))], [], ns(NOW))
        await assert_the_same(ledger_pool)
        await assert_many_at_once_are_told_the_same(ledger_pool)
        await refreshed(leader, NOW)
    await assert_the_same(ledger_pool)
    await assert_many_at_once_are_told_the_same(ledger_pool)


async def test_a_spend_whose_calls_are_no_longer_kept_says_so(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    await a_ledger(ledger_pool).append([spent(1, 3, user="ann")], [], ns(NOW))
    span = period_at(PeriodRule(Unit.MONTH), NOW)
    async with ledger_pool.connection() as connection:
        await connection.execute("update storage_progress set entries_since = %s", [NOW - timedelta(days=2)])
    async with look(ledger_pool) as ledger:
        by_user, nobody = await spend(ledger, BudgetScope(user=("ann",)), span), BudgetScope(session=("none",))
        assert (by_user.cost_pico, by_user.known) == (3 * USD, False)
        assert not (await spend(ledger, nobody, span)).known
        assert (await spend(ledger, BudgetScope(), span)).known


@pytest.mark.parametrize("unit", [Unit.HOUR, Unit.DAY])
async def test_a_call_on_the_stroke_counts_in_the_period_that_begins(unit: Unit, ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    stroke = NOW.replace(hour=0, minute=0)
    ledger = a_ledger(ledger_pool)
    await ledger.append([spent(0, 2, stroke), spent(1, 5, stroke - timedelta(seconds=1))], [], ns(NOW))
    rule = PeriodRule(unit)
    async with look(ledger_pool) as seen:
        assert (await spend(seen, BudgetScope(), period_at(rule, stroke))).cost_pico == 2 * USD
        assert (await spend(seen, BudgetScope(), period_at(rule, stroke - timedelta(seconds=1)))).cost_pico == 5 * USD

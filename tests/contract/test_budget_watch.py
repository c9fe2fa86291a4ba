"""The judge's look at budgets: told once, by whoever looks; late calls, corrections and new prices are followed."""

import asyncio
import random
from datetime import datetime, timedelta
from typing import Any

import pytest
from budget_world import MODEL, NOW, a_budget, a_ledger, dollar_rates, ns, spent

from finops.budget_periods import PeriodRule, Unit
from finops.budgets import Budget, BudgetScope, Dimension
from finops.spans import LedgerUnavailable
from ledger.budget_watch import BudgetWatch
from ledger.budgets import BudgetStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.unpriced import UnpricedCalls


async def stored(pool: Pool, *added: Budget) -> None:
    for budget in added:
        await BudgetStore(pool).add(budget, 100)


async def looked(pool: Pool, now: datetime = NOW) -> None:
    """A look by a process that has just started."""
    await BudgetWatch(pool).run(now)


async def told(pool: Pool) -> list[Any]:
    """Member, threshold in percent, whether it stands, of every firing; and of the alerts the same."""
    text = "select member, threshold / 100, cleared_at is null from budget_firings order by fired_at, 1, 2"
    alerts = "select title, resolved_at is null from alerts order by alert_id"
    async with pool.connection() as connection:
        firings: list[Any] = await (await connection.execute(text)).fetchall()
        fired: list[Any] = await (await connection.execute(alerts)).fetchall()
    assert len(fired) == len(firings)
    assert sorted(stands for _, stands in fired) == sorted(stands for _, _, stands in firings)
    return firings


async def test_each_threshold_is_told_once_whoever_looks_and_is_over_with_its_period(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    await stored(ledger_pool, a_budget(10))
    ledger = a_ledger(ledger_pool)
    await ledger.append([spent(1, 6)], [], ns(NOW))
    for _ in range(3):
        await looked(ledger_pool)
    assert await told(ledger_pool) == [("", 50, True)]
    await ledger.append([spent(2, 4), spent(3, 1)], [], ns(NOW))
    watch = BudgetWatch(ledger_pool)
    await watch.run(NOW + timedelta(seconds=20))
    await watch.run(NOW + timedelta(seconds=40))
    assert await told(ledger_pool) == [("", 50, True), ("", 80, True), ("", 100, True)]
    await watch.run(NOW + timedelta(days=1))
    assert [stands for _, _, stands in await told(ledger_pool)] == [False] * 3


async def test_two_judges_at_once_tell_once(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    await stored(ledger_pool, a_budget(10))
    await a_ledger(ledger_pool).append([spent(1, 10)], [], ns(NOW))
    found = await asyncio.gather(*(looked(ledger_pool) for _ in range(4)), return_exceptions=True)
    assert all(one is None or isinstance(one, LedgerUnavailable) for one in found)
    await looked(ledger_pool)
    assert [percent for _, percent, _ in await told(ledger_pool)] == [50, 80, 100]


async def test_each_user_has_a_limit_and_only_those_who_spent_are_looked_at_again(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    await stored(ledger_pool, a_budget(10, PeriodRule(Unit.MONTH), each=Dimension.USER, thresholds=(10_000,)))
    ledger, watch = a_ledger(ledger_pool), BudgetWatch(ledger_pool)
    await ledger.append([spent(1, 10, user="ann"), spent(2, 9, user="bob"), spent(3, 9)], [], ns(NOW))
    await watch.run(NOW)
    assert await told(ledger_pool) == [("ann", 100, True)]
    await ledger.append([spent(4, 1, NOW - timedelta(days=9), user="bob"), spent(5, 1)], [], ns(NOW))
    async with ledger_pool.connection() as connection:  # the watch reads the database's own clock of recording
        row = await (await connection.execute("select to_timestamp(max(recorded_s)) from entries")).fetchone()
    assert row is not None
    recorded: Any = row[0]
    watch._looked = {name: (recorded, stated) for name, (_, stated) in watch._looked.items()}
    await watch.run(NOW + timedelta(seconds=20))
    assert sorted(await told(ledger_pool)) == [("", 100, True), ("ann", 100, True), ("bob", 100, True)]


async def test_a_period_that_ended_while_nobody_looked_is_told(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    await stored(ledger_pool, a_budget(10, thresholds=(10_000,)))
    await a_ledger(ledger_pool).append([spent(1, 10)], [], ns(NOW))
    tomorrow = NOW + timedelta(days=1)
    await looked(ledger_pool, tomorrow)
    assert await told(ledger_pool) == [("", 100, True)]
    await looked(ledger_pool, tomorrow)
    assert await told(ledger_pool) == [("", 100, False)]


async def test_a_budget_stated_today_says_nothing_of_yesterday(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    await a_ledger(ledger_pool).append([spent(1, 10)], [], ns(NOW))
    tomorrow = NOW + timedelta(days=1)
    await stored(ledger_pool, a_budget(10)._replace(counted_since=tomorrow))
    await looked(ledger_pool, tomorrow)
    assert await told(ledger_pool) == []


async def test_a_price_that_appears_later_counts_in_the_period_of_the_call(ledger_pool: Pool) -> None:
    await stored(ledger_pool, a_budget(10, thresholds=(10_000,)))
    await a_ledger(ledger_pool).append([spent(1, 10, NOW - timedelta(days=1))], [], ns(NOW))
    await looked(ledger_pool)
    assert await told(ledger_pool) == []
    await dollar_rates(ledger_pool)
    await UnpricedCalls(ledger_pool, RateStore()).price()
    await looked(ledger_pool)
    assert await told(ledger_pool) == [("", 100, True)]


async def test_a_budget_that_counts_something_else_starts_anew_and_a_deleted_one_is_over(ledger_pool: Pool) -> None:
    await dollar_rates(ledger_pool)
    budget, store = a_budget(10), BudgetStore(ledger_pool)
    await store.add(budget, 1)
    await a_ledger(ledger_pool).append([spent(1, 6)], [], ns(NOW))
    await looked(ledger_pool)
    await store.put(budget._replace(name="renamed", updated_at=NOW))
    await looked(ledger_pool)
    assert await told(ledger_pool) == [("", 50, True)]
    await store.put(budget._replace(scope=BudgetScope(org=("acme",)), updated_at=NOW))
    await looked(ledger_pool)
    async with ledger_pool.connection() as connection:
        firing = await (await connection.execute("select count(*) from alerts where resolved_at is null")).fetchone()
        assert firing == (1,)
        assert await store.delete(budget.budget_id, "ada", NOW)
        firing = await (await connection.execute("select count(*) from alerts where resolved_at is null")).fetchone()
        assert firing == (0,)
        rows = await (
            await connection.execute(
                "select action, actor from audit where subject = %s order by seq", [budget.budget_id]
            )
        ).fetchall()
    assert [row[0] for row in rows] == ["budget.post", "budget.put", "budget.put", "budget.delete"]


@pytest.mark.parametrize("seed", [1, 2])
async def test_any_order_of_spans_looks_and_restarts_tells_each_member_once(seed: int, ledger_pool: Pool) -> None:
    chance = random.Random(seed)
    await dollar_rates(ledger_pool)
    budgets = [
        a_budget(10),
        a_budget(8, PeriodRule(Unit.WEEK, "America/Havana"), each=Dimension.AGENT),
        a_budget(6, PeriodRule(Unit.MONTH), each=Dimension.SESSION, scope=BudgetScope(model=(MODEL,))),
    ]
    await stored(ledger_pool, *budgets)
    calls = [spent(n, 1, agent=f"agent-{n % 3}", session=f"session-{n % 4}") for n in range(30)]
    chance.shuffle(calls)
    ledger, watch, now = a_ledger(ledger_pool), BudgetWatch(ledger_pool), NOW
    while calls:
        batch = [calls.pop() for _ in range(min(len(calls), chance.randrange(1, 9)))]
        await ledger.append(batch, [], ns(now))
        now += timedelta(seconds=11)
        watch = BudgetWatch(ledger_pool) if chance.random() < 0.5 else watch
        await watch.run(now)
    await looked(ledger_pool, now)
    async with ledger_pool.connection() as connection:
        text = "select member, threshold, count(*) from budget_firings group by budget_id, 1, 2"
        rows: list[Any] = await (await connection.execute(text)).fetchall()
    assert all(count == 1 for _, _, count in rows)
    assert len(rows) == 3 + 3 * 3 + 4 * 3

"""Old entries go, what they came to stays: on every engine, and whatever comes afterwards."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sums_world import NOW, call, ns, refreshed, rows

from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.jobs import Jobs, Plan, autocommit
from ledger.pool import Connection, Pool, configure
from ledger.rates import RateStore
from ledger.retention import retain

KEEP_DAYS = 30
SUMS = "select bucket, org_id, agent_id, model_id, calls, input_tokens, cost_pico from {} order by 1, 2, 3, 4"


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    async with await autocommit(database_url)() as opened:
        await configure(opened)
        yield opened


@pytest.fixture
async def ledger(ledger_pool: Pool) -> Ledger:
    """A ledger with two calls a day for thirteen weeks; each week arrived at its end."""
    made = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    for week in range(12, -1, -1):
        arrived = NOW - timedelta(days=7 * week)
        batch = [call(100 * week + n, arrived - timedelta(hours=12 * n)) for n in range(14)]
        await made.append(batch, [], ns(arrived))
    return made


async def sums(pool: Pool) -> list[list[tuple[Any, ...]]]:
    return [await rows(pool, SUMS.format(table)) for table in ("usage_15m", "usage_1d")]


async def test_sums_outlive_their_entries(ledger: Ledger, ledger_pool: Pool, connection: Connection) -> None:
    before = await sums(ledger_pool)
    await refreshed(connection, NOW)
    edge = await retain(connection, await detect(connection), NOW, KEEP_DAYS)
    assert edge is not None
    kept = {"entries": "event_time", "spans": "arrived_at", "session_slots": "slot", "unpriced": "event_time"}
    for table, moment in kept.items():
        assert (await rows(ledger_pool, f"select min({moment}) from {table}"))[0][0] >= edge
    assert (await rows(ledger_pool, "select count(*) from entries"))[0][0] > 2 * (KEEP_DAYS - 1)
    assert await sums(ledger_pool) == before


async def test_refreshes_after_retention_take_no_history_away(
    ledger: Ledger, ledger_pool: Pool, connection: Connection
) -> None:
    await refreshed(connection, NOW)
    engine = await detect(connection)
    edge = await retain(connection, engine, NOW, KEEP_DAYS)
    assert edge is not None
    before = await sums(ledger_pool)
    async with ledger_pool.connection() as other:
        values = (edge - timedelta(days=9), NOW, True, True)
        await other.execute("insert into dirty_ranges (starts, ends, late, claimed) values (%s, %s, %s, %s)", values)
    await refreshed(connection, NOW + timedelta(hours=1))
    await ledger.append([call(10_000, edge + timedelta(minutes=1))], [], ns(NOW))
    await refreshed(connection, NOW + timedelta(hours=2))
    after = await sums(ledger_pool)
    assert [sum(row[4] for row in table) for table in after] == [sum(row[4] for row in table) + 1 for table in before]
    assert [row for row in after[1] if row[0] < edge] == [row for row in before[1] if row[0] < edge]
    await retain(connection, engine, NOW + timedelta(days=20), KEEP_DAYS)
    await refreshed(connection, NOW + timedelta(days=20))
    assert await sums(ledger_pool) == after


async def test_entries_stay_while_sums_depend_on_them(
    ledger: Ledger, ledger_pool: Pool, connection: Connection, keeps_rollups: bool
) -> None:
    count = await rows(ledger_pool, "select count(*) from entries")
    edge = await retain(connection, await detect(connection), NOW, KEEP_DAYS)
    assert (edge is None) is not keeps_rollups
    if not keeps_rollups:
        assert await rows(ledger_pool, "select count(*) from entries") == count
        await refreshed(connection, NOW)
        await ledger.append([call(20_000, NOW - timedelta(days=60))], [], ns(NOW))
        assert await retain(connection, await detect(connection), NOW, KEEP_DAYS) is None


async def test_a_leader_refreshes_and_retains_by_itself(
    ledger: Ledger, ledger_pool: Pool, connection: Connection, database_url: str, keeps_rollups: bool
) -> None:
    engine = await detect(connection)
    jobs = Jobs(autocommit(database_url), engine, Plan(keep_days=KEEP_DAYS), lambda: NOW)
    before = await sums(ledger_pool)
    await jobs.once(connection)
    assert await sums(ledger_pool) == before
    through = await rows(ledger_pool, "select materialized_through, entries_since from storage_progress")
    assert through == [
        (None if keeps_rollups else NOW.replace(minute=0), NOW.replace(hour=0, minute=0) - timedelta(days=30))
    ]

"""Writers, a refresher and readers at the same time: nobody waits for ever, and no reader is told a wrong sum."""

import asyncio
import random
from datetime import timedelta
from uuid import UUID

import pytest
from sums_world import NOW, assert_exact, call, freshness, ns, refreshed

from finops.spans import SpanRecord
from ledger.append import Ledger, Limits
from ledger.jobs import autocommit, is_leader
from ledger.pool import Pool, configure
from ledger.rates import RateStore

WRITERS = 4
APPENDS = 40
TOTAL = "(coalesce(sum(calls), 0), coalesce(sum(cost_pico), 0), coalesce(sum(input_tokens), 0))::text"
SUMS = f"""
select (select count(*) from dirty_ranges where late), (select {TOTAL} from entries), (select {TOTAL} from usage_15m),
    (select {TOTAL} from usage_1d)
"""


class Scene:
    """Four tenants who write as fast as they can, the same sums at the same time, in different orders."""

    def __init__(self, ledger_pool: Pool, ages: tuple[int, ...]) -> None:
        self.pool = ledger_pool
        self.ages = ages
        self.clock = NOW
        self.writing = WRITERS
        self.looks = 0
        self.refreshes = 0

    def batch(self, writer: int, number: int, chance: random.Random) -> list[SpanRecord]:
        ages = [chance.choice(self.ages) for _ in range(30)]
        names = range((writer * APPENDS + number) * 100, (writer * APPENDS + number) * 100 + 30)
        calls = [call(name, self.clock - timedelta(minutes=age)) for name, age in zip(names, ages, strict=True)]
        chance.shuffle(calls)
        return [record._replace(tenant=f"tenant-{writer}") for record in calls]

    async def write(self, writer: int) -> None:
        chance = random.Random(writer)
        ledger = Ledger(self.pool, RateStore(), writer=UUID(int=writer + 1), limits=Limits())
        for number in range(APPENDS):
            await ledger.append(self.batch(writer, number, chance), [], ns(self.clock))
            self.clock += timedelta(minutes=1)
        self.writing -= 1

    async def read(self) -> None:
        while self.writing:
            async with self.pool.connection() as connection, connection.transaction():
                await connection.execute("set transaction isolation level repeatable read, read only")
                row = await (await connection.execute(SUMS)).fetchone()
            assert row is not None
            pending, *told = row
            assert pending or len(set(told)) == 1, told
            self.looks += not pending

    async def refresh(self, database_url: str) -> None:
        async with await autocommit(database_url)() as connection:
            await configure(connection)
            assert await is_leader(connection)
            while self.writing:
                await refreshed(connection, self.clock)
                self.refreshes += 1
                await asyncio.sleep(0)
            await refreshed(connection, self.clock)


@pytest.mark.parametrize("ages", [(0, 1), (0, 1, 10, 30, 24 * 60)], ids=["fresh", "late"])
async def test_writers_refreshes_and_readers_agree_at_every_moment(
    ages: tuple[int, ...], ledger_pool: Pool, database_url: str
) -> None:
    """Minutes between a call's end and its arrival; a quarter hour is materialised after five."""
    scene = Scene(ledger_pool, ages)
    async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
        for writer in range(WRITERS):
            tasks.create_task(scene.write(writer))
        tasks.create_task(scene.read())
        tasks.create_task(scene.refresh(database_url))
    await assert_exact(ledger_pool)
    assert (await freshness(ledger_pool))[1] == 0
    assert scene.refreshes > 1
    assert scene.looks > 1 or max(ages) > 5


async def test_only_one_leads_and_the_next_follows_at_once(database_url: str) -> None:
    first, second = await autocommit(database_url)(), await autocommit(database_url)()
    async with second:
        async with first:
            assert await is_leader(first)
            assert not await is_leader(second)
        async with asyncio.timeout(10):
            while not await is_leader(second):  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the server takes the lock back when it notices the end of the first

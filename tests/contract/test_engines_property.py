"""Whatever happens to a ledger, in whatever order: every sum is that of all entries there ever were, to the last digit.

Entries that retention lets go of are copied before, so that the comparison never forgets them. `-s` prints how much was
done; a run in which nothing was late, corrected, repriced, refreshed or let go of fails, since it shows nothing.
"""

import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sums_world import NOW, agent_above, assert_exact, built, call, freshness, ns, refreshed, repriced, rows, wanted

from finops.spans import SpanClass, SpanRecord
from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.jobs import autocommit
from ledger.pool import Connection, Pool, configure
from ledger.rates import RateStore
from ledger.retention import retain

SEEDS = int(os.environ.get("FINOPS_TEST_SEEDS", "6"))
STEPS = 40
KEEP_DAYS = 12
AGES = (0, 1, 20, 60, 24 * 60, 9 * 24 * 60)
"""Minutes from the end of a call to its arrival; what is older than is kept would be refused before the ledger."""
ZONES = ("Asia/Kolkata", "America/New_York", "Pacific/Chatham", "Europe/Berlin", "Europe/Paris")
NEEDED = ("late", "corrected", "repriced", "refreshed", "let go", "blocks")


class Story:
    """A ledger to which anything may happen."""

    def __init__(self, seed: int, pool: Pool, leader: Connection) -> None:
        self.chance = random.Random(seed)
        self.pool = pool
        self.leader = leader
        self.ledger = Ledger(pool, RateStore(), writer=UUID(int=1), limits=Limits())
        self.clock = NOW
        self.written: list[SpanRecord] = []
        self.done: Counter[str] = Counter()

    async def append(self, step: int) -> None:
        ages = [self.chance.choice(AGES) for _ in range(self.chance.randint(1, 8))]
        fresh = [call(step * 100 + at, self.clock - timedelta(minutes=age)) for at, age in enumerate(ages)]
        fresh = [record._replace(parent_id=(10**9).to_bytes(8)) for record in fresh]
        recent = [record for record in self.written if record.end_ns > ns(self.clock - timedelta(days=10))]
        if recent and self.chance.random() < 0.3:
            fresh.append(agent_above(self.chance.choice(recent)))
            self.done["corrected"] += 1
        await self.ledger.append(fresh, [], ns(self.clock))
        self.written += [record for record in fresh if record.span_class is SpanClass.CALL]
        self.done["calls"] += len(ages)
        self.done["late"] += sum(age > 15 for age in ages)

    async def retain(self) -> None:
        edge = (self.clock - timedelta(days=KEEP_DAYS)).replace(hour=0, minute=0)
        await self.leader.execute("create table going as select * from entries where event_time < %s", [edge])
        if await retain(self.leader, await detect(self.leader), self.clock, KEEP_DAYS) is not None:
            self.done["let go"] += (await self.leader.execute("insert into let_go select * from going")).rowcount
        await self.leader.execute("drop table going")

    async def step(self, step: int) -> None:
        self.clock += timedelta(minutes=self.chance.choice((0, 1, 9, 16, 200, 36 * 60)))
        await self.append(step)
        if self.chance.random() < 0.1:
            await repriced(self.pool, self.clock, Decimal(self.chance.randint(1, 999)) / 1000)
            self.done["repriced"] += 1
        if self.chance.random() < 0.3:
            await refreshed(self.leader, self.clock)
            self.done["refreshed"] += 1
            await self.check()
        if self.chance.random() < 0.2:
            await wanted(self.leader, self.chance.choice(ZONES))
            self.done["blocks"] += await built(self.leader, self.clock)
        if self.chance.random() < 0.2:
            await self.retain()

    async def check(self) -> None:
        await assert_exact(self.pool, "(select * from entries union all select * from let_go)")
        self.done["compared"] += 1


@pytest.fixture
async def leader(database_url: str) -> AsyncIterator[Connection]:
    async with await autocommit(database_url)() as connection:
        await configure(connection)
        await connection.execute("create table let_go (like entries)")
        yield connection


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_every_sum_is_the_sum_of_everything_that_was_ever_recorded(
    seed: int, ledger_pool: Pool, leader: Connection
) -> None:
    story = Story(seed, ledger_pool, leader)
    for step in range(1, STEPS + 1):
        await story.step(step)
    await refreshed(leader, story.clock)
    await story.retain()
    story.done["blocks"] += await built(leader, story.clock)
    await story.check()
    assert (await freshness(ledger_pool))[1] == 0
    assert (await rows(ledger_pool, "select count(*) from entries"))[0][0] > 0
    assert all(story.done[what] for what in NEEDED), story.done
    print(f"seed {seed}: " + ", ".join(f"{count} {what}" for what, count in sorted(story.done.items())))

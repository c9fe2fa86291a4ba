"""Appends of many tenants at once never wait for each other in a circle, because heads are locked in one order."""

import asyncio
import random
import time
from collections.abc import Sequence
from uuid import uuid4

import pytest

from finops.spans import SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import Connection, Pool
from ledger.rates import RateStore
from sql import query

WRITERS, BATCHES, TENANTS = 4, 12, 8


def a_batch(chance: random.Random, number: int) -> list[SpanRecord]:
    """Calls of most tenants, in any order; half of them have been sent by another writer as well."""
    now = time.time_ns()
    tenants = [f"tenant-{at}" for at in range(TENANTS)]
    chance.shuffle(tenants)
    return [
        SpanRecord(
            tenant, (number // 2 + 1).to_bytes(16), (at + 1).to_bytes(8), b"", SpanClass.CALL, now - 10**9, now,
            scope="x", request_model="gpt-4o-mini", usage=TokenUsage(100 + at, 10),
        )
        for at, tenant in enumerate(tenants)
    ]  # fmt: skip


async def deadlocks(ledger_pool: Pool, kind: type[Ledger]) -> int:
    """How many deadlocks the server broke while several writers appended."""

    async def write(seed: int) -> None:
        chance = random.Random(seed)
        ledger = kind(ledger_pool, RateStore(), writer=uuid4(), limits=Limits())
        for number in range(BATCHES):
            await ledger.append(a_batch(chance, number), [], time.time_ns())

    results = await asyncio.gather(*(write(seed) for seed in range(WRITERS)), return_exceptions=True)
    async with ledger_pool.connection() as connection:
        await connection.execute("select pg_stat_force_next_flush()")
        await connection.commit()
        asked = "select deadlocks from pg_stat_database where datname = current_database()"
        row = await (await connection.execute(asked)).fetchone()
    assert row is not None
    broken = int(str(row[0]))
    assert broken or not [fault for fault in results if fault is not None], results
    return broken


class Unsorted(Ledger):
    """Locks the heads of a batch in the order of its spans."""

    async def _lock(self, connection: Connection, shards: Sequence[int]) -> bool:
        for shard in random.sample(shards, len(shards)):
            await connection.execute(query("lock_heads"), {"shards": [shard]})
        return await super()._lock(connection, shards)


async def test_writers_of_the_same_tenants_never_deadlock(ledger_pool: Pool) -> None:
    assert await deadlocks(ledger_pool, Ledger) == 0


@pytest.mark.slow
async def test_without_one_order_they_would(ledger_pool: Pool) -> None:
    assert await deadlocks(ledger_pool, Unsorted) > 0

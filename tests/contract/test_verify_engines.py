"""``agent-finops verify`` on every engine: sums in tables or in continuous aggregates, refreshed, late or let go."""

import time
from datetime import timedelta
from uuid import UUID

from sums_world import NOW, agent_above, built, call, ns, refreshed, wanted

from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.retention import retain
from ledger.verify import Sample, verify


async def failing(pool: Pool) -> list[str]:
    sample = Sample(traces_max=None, seed=1, seconds_max=60)
    async with pool.connection() as connection:
        checks = await verify(connection, sample, time.monotonic)
    return [f"{check.invariant.name} {check.unfinished} {check.examples}" for check in checks if not check.holds]


async def test_a_ledger_holds_while_sums_are_new_refreshed_late_and_let_go(ledger_pool: Pool) -> None:
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    calls = [call(number, NOW - timedelta(hours=number * 7)) for number in range(1, 200)]
    await ledger.append(calls, [], ns(NOW))
    assert await failing(ledger_pool) == []
    async with ledger_pool.connection() as leader:
        await leader.set_autocommit(True)
        await refreshed(leader, NOW)
        await wanted(leader, "Asia/Kolkata")
        assert await built(leader, NOW) > 50
        assert await failing(ledger_pool) == []
        late = [call(number, NOW - timedelta(hours=number)) for number in range(1000, 1100, 9)]
        under = call(2000, NOW - timedelta(days=9))._replace(parent_id=(10**9).to_bytes(8))
        await ledger.append([*late, under], [], ns(NOW))
        await ledger.append([agent_above(under)], [], ns(NOW))
        assert await failing(ledger_pool) == []
        await refreshed(leader, NOW)
        assert await failing(ledger_pool) == []
        await retain(leader, await detect(leader), NOW, keep_days=20)
        assert await failing(ledger_pool) == []
        await leader.set_autocommit(False)

"""Sums that follow the entries on every engine, whatever comes when: late, corrected, refreshed in between."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sums_world import NOW, agent_above, assert_exact, call, differing, freshness, ns, refreshed, repriced, rows

from ledger.append import Ledger, Limits
from ledger.jobs import autocommit, is_leader
from ledger.pool import Connection, Pool, configure
from ledger.rates import RateStore


@pytest.fixture
def ledger(ledger_pool: Pool) -> Ledger:
    return Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())


@pytest.fixture
async def leader(database_url: str) -> AsyncIterator[Connection]:
    async with await autocommit(database_url)() as connection:
        await configure(connection)
        assert await is_leader(connection)
        yield connection


async def test_entries_are_in_every_sum_before_and_after_a_refresh(
    ledger: Ledger, ledger_pool: Pool, leader: Connection
) -> None:
    batch = [call(number, NOW - timedelta(minutes=7 * number)) for number in range(1, 600)]
    await ledger.append(batch, [], ns(NOW))
    await assert_exact(ledger_pool)
    await refreshed(leader, NOW)
    await assert_exact(ledger_pool)
    assert (await freshness(ledger_pool))[1] == 0


async def test_late_entries_are_told_until_they_are_in_the_sums(
    ledger: Ledger, ledger_pool: Pool, leader: Connection, keeps_rollups: bool
) -> None:
    await ledger.append([call(number, NOW - timedelta(hours=number)) for number in range(1, 60)], [], ns(NOW))
    await refreshed(leader, NOW)
    before = (await rows(ledger_pool, "select now()"))[0][0]
    late = [call(1000 + number, NOW - timedelta(days=1, hours=number)) for number in range(4)]
    await ledger.append(late, [], ns(NOW))
    await ledger.append([call(2000, NOW)], [], ns(NOW))
    through, pending = await freshness(ledger_pool)
    if not keeps_rollups:
        recorded = (await rows(ledger_pool, "select min(recorded_s) from entries where input_tokens = 2000"))[0][0]
        assert (int(through.timestamp()), pending) == (recorded, 4)
        assert through > before
        assert await differing(ledger_pool, "usage_1d")
        assert await refreshed(leader, NOW) == 4
    await assert_exact(ledger_pool)
    assert (await freshness(ledger_pool))[1] == 0


async def test_a_correction_of_an_old_call_reaches_every_sum(
    ledger: Ledger, ledger_pool: Pool, leader: Connection
) -> None:
    old = call(7, NOW - timedelta(days=3), parent_id=(10**9).to_bytes(8))
    await ledger.append([old, call(8, NOW - timedelta(days=2))], [], ns(NOW))
    await refreshed(leader, NOW)
    await ledger.append([agent_above(old)], [], ns(NOW))
    await refreshed(leader, NOW)
    await assert_exact(ledger_pool)
    by_agent = "select agent_id, sum(calls) from usage_1d group by 1 having sum(calls) > 0 order by 1"
    assert await rows(ledger_pool, by_agent) == [("late-agent", 1), ("service-3", 1)]


async def test_a_call_from_the_future_is_dated_at_its_arrival_and_hides_nothing(
    ledger: Ledger, ledger_pool: Pool, leader: Connection
) -> None:
    await ledger.append([call(1, NOW + timedelta(days=400)), call(2, NOW)], [], ns(NOW))
    later = NOW + timedelta(hours=1)
    await refreshed(leader, later)
    assert (await rows(ledger_pool, "select max(event_time) from entries"))[0][0] < NOW + timedelta(seconds=1)
    await ledger.append([call(3, later)], [], ns(later))
    await assert_exact(ledger_pool)
    assert await rows(ledger_pool, "select sum(calls) from usage_1d") == [(3,)]


async def test_what_comes_late_into_packed_chunks_reaches_every_sum(
    ledger: Ledger, ledger_pool: Pool, leader: Connection, keeps_rollups: bool
) -> None:
    if keeps_rollups:
        pytest.skip("nothing is packed here")
    batch = [call(number, NOW - timedelta(hours=number)) for number in range(1, 100)]
    old = batch[-1]._replace(parent_id=(10**9).to_bytes(8))
    await ledger.append([*batch[:-1], old], [], ns(NOW))
    await refreshed(leader, NOW)
    for relation in ("entries", "usage_15m"):
        await leader.execute(f"select compress_chunk(c) from show_chunks('{relation}') c")
    await assert_exact(ledger_pool)
    outcome = await ledger.append(
        [*batch[:50], *(call(n, NOW - timedelta(hours=n - 900)) for n in range(901, 990))], [], ns(NOW)
    )
    assert (outcome.posted, outcome.redelivered) == (89, 50)
    await ledger.append([agent_above(old)], [], ns(NOW))
    await repriced(ledger_pool, NOW, Decimal("0.125"))
    assert (await freshness(ledger_pool))[1] > 80
    await refreshed(leader, NOW)
    await assert_exact(ledger_pool)
    assert (await freshness(ledger_pool))[1] == 0

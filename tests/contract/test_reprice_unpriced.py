"""Calls that wait for a price: known as such whatever happens to them, and priced in bounded bites."""

import asyncio
from contextlib import suppress

import pytest
from repricing_world import (
    HOUSE_MODEL,
    NOW,
    NOW_NS,
    a_ledger,
    assert_sums_agree,
    call,
    put,
    rows,
    statement,
    strange_call,
)

from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.unpriced import Swept, UnpricedCalls
from query_api.unpriced import Sweeper

CALLS = 30


@pytest.fixture
def store() -> RateStore:
    return RateStore()


@pytest.fixture
def unpriced(ledger_pool: Pool, store: RateStore, monkeypatch: pytest.MonkeyPatch) -> UnpricedCalls:
    monkeypatch.setattr("ledger.corrections.read_page.__defaults__", (7,))
    return UnpricedCalls(ledger_pool, store)


async def waiting(pool: Pool) -> int:
    return int((await rows(pool, "select count(*) from unpriced"))[0][0])


async def test_what_is_left_over_is_said_and_done_later(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore
) -> None:
    batch = [strange_call(number, minutes_ago=number) for number in range(1, CALLS + 1)]
    await a_ledger(ledger_pool, store).append(batch, [], NOW_NS)
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    first = await unpriced.price(10)
    assert (first.repriced >= 10, first.repriced + first.pending) == (True, CALLS)
    assert await waiting(ledger_pool) == first.pending
    assert await unpriced.price() == Swept(first.pending, 0)
    assert await unpriced.price() == Swept(0, 0)
    await assert_sums_agree(ledger_pool)


async def test_two_at_once_price_each_call_once(ledger_pool: Pool, store: RateStore, unpriced: UnpricedCalls) -> None:
    batch = [strange_call(number, minutes_ago=number) for number in range(1, CALLS + 1)]
    await a_ledger(ledger_pool, store).append(batch, [], NOW_NS)
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    swept = await asyncio.gather(unpriced.price(), UnpricedCalls(ledger_pool, RateStore()).price())
    assert sum(one.repriced for one in swept) == CALLS
    assert await rows(ledger_pool, "select count(*) from entries") == [(3 * CALLS,)]
    await assert_sums_agree(ledger_pool)


async def test_many_kinds_without_a_rate_hide_none_that_has_one(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.unpriced.KINDS_PAGE", 3)
    named = [strange_call(number)._replace(request_model=f"house-{number}") for number in range(1, CALLS + 1)]
    await a_ledger(ledger_pool, store).append(named, [], NOW_NS)
    for number in (3, 17, 29):
        await put(ledger_pool, store, statement("0.001", f"house-{number}"))
    assert await unpriced.price() == Swept(3, 0)
    assert await waiting(ledger_pool) == CALLS - 3


async def test_a_cache_hit_waits_for_the_price_it_saved(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore
) -> None:
    hit, silent = strange_call(1, cache_hit="semantic"), strange_call(2, cache_hit="semantic", usage=None)
    await a_ledger(ledger_pool, store).append([hit, silent], [], NOW_NS)
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    assert (await unpriced.price()).repriced == 1
    saved = 1001 * 1_000_000 + 10 * 10_000_000
    assert await rows(ledger_pool, "select sum(semantic_savings_pico) from usage_1d") == [(saved,)]


async def test_a_call_that_moves_to_another_agent_waits_on(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore
) -> None:
    ledger = a_ledger(ledger_pool, store)
    child = strange_call(1, parent_id=(9).to_bytes(8))
    await ledger.append([child], [], NOW_NS)
    parent = call(9, trace_id=(1).to_bytes(16), usage=None, usage_detail=0, operation="invoke_agent")
    run = parent._replace(span_class=type(parent.span_class).AGENT, own=parent.own._replace(agent="late"))
    await ledger.append([run._replace(agent_run="late")], [], NOW_NS)
    assert await waiting(ledger_pool) == 1
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    assert (await unpriced.price()).repriced == 1
    await assert_sums_agree(ledger_pool)


async def test_a_rate_that_holds_from_tomorrow_prices_nothing_of_today(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore
) -> None:
    await a_ledger(ledger_pool, store).append([strange_call(1)], [], NOW_NS)
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL, effective_from=NOW.replace(day=21)))
    assert await unpriced.price() == Swept(0, 0)


async def test_notes_of_entries_that_are_no_longer_kept_hide_nothing(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore
) -> None:
    await a_ledger(ledger_pool, store).append([strange_call(1, minutes_ago=90), strange_call(2)], [], NOW_NS)
    async with ledger_pool.connection() as connection:
        await connection.execute("delete from entries where span_id = %s", [(1).to_bytes(8)])
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    assert (await unpriced.price()).repriced == 1


async def test_a_newer_catalogue_is_found_at_the_start_of_the_service(
    unpriced: UnpricedCalls, ledger_pool: Pool, store: RateStore
) -> None:
    await a_ledger(ledger_pool, store).append([strange_call(1)], [], NOW_NS)
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    sweeping = asyncio.create_task(Sweeper(unpriced).run())
    async with asyncio.timeout(30):
        while await waiting(ledger_pool):
            pass
    sweeping.cancel()
    with suppress(asyncio.CancelledError):
        await sweeping
    await assert_sums_agree(ledger_pool)

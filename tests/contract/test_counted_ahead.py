"""A batch that was counted while another was written comes to the same as one that waited for its turn."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from contract.test_ledger import NOW_NS, agent, assert_sums_agree, call, rows, state, story

from finops.rates import RatePut, StatedRates
from finops.spans import LedgerUnavailable, SpanRecord
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.work import Compute, WorkThread, in_place

TABLES = "entries, spans, call_scopes, usage_15m, usage_1d, session_slots, intake"
FIRST = [call(number, trace=number % 3 + 1, parent_id=(90).to_bytes(8)) for number in range(1, 9)]
OTHER = [call(number, trace=7) for number in range(20, 26)]


def ledger_of(pool: Pool, number: int, remembered_spans: int = 10_000, compute: Compute = in_place) -> Ledger:
    limits = Limits(remembered_spans=remembered_spans)
    return Ledger(pool, RateStore(), writer=UUID(int=number), limits=limits, compute=compute)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await holds():  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)


class Held:
    """An append that has been counted and cannot end yet, because somebody holds a table that it writes last."""

    def __init__(self, pool: Pool, ledger: Ledger) -> None:
        self.pool = pool
        self.ledger = ledger

    @asynccontextmanager
    async def appending(self, batch: Sequence[SpanRecord]) -> AsyncIterator["asyncio.Task[object]"]:
        """Until the end of the block."""
        async with self.pool.connection() as holder:
            await holder.execute("lock table intake in share mode")
            first = asyncio.create_task(self.ledger.append(batch, [], NOW_NS))
            await until(self._someone_waits)
            yield first

    async def _someone_waits(self) -> bool:
        found = await rows(
            self.pool,
            "select from pg_locks where not granted and relation = 'intake'::regclass and database = "
            "(select oid from pg_database where datname = current_database())",
        )
        return len(found) == 1

    async def ahead(self, batch: Sequence[SpanRecord]) -> "asyncio.Task[object]":
        """Another append, counted by now."""
        before = self.ledger.counted_ahead
        second = asyncio.create_task(self.ledger.append(batch, [], NOW_NS))

        async def counted() -> bool:
            return self.ledger.counted_ahead > before

        await until(counted)
        return second


@pytest.fixture(params=["in place", "in a thread"])
def compute(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Compute]:
    """However few spans there are."""
    monkeypatch.setattr("ledger.append.COMPUTED_APART_SPANS", 1)
    thread = WorkThread()
    yield thread if request.param == "in a thread" else in_place
    thread.close()


@pytest.fixture
async def held(ledger_pool: Pool, compute: Compute) -> Held:
    ledger = ledger_of(ledger_pool, 1, compute=compute)
    await ledger.append([call(1000, trace=1000)], [], NOW_NS)
    return Held(ledger_pool, ledger)


async def one_by_one(pool: Pool, batches: Sequence[Sequence[SpanRecord]]) -> dict[str, list[tuple[object, ...]]]:
    """What the batches come to in turn, in an empty ledger."""
    async with pool.connection() as connection:
        await connection.execute(f"truncate {TABLES}")
    ledger = ledger_of(pool, 99)
    for batch in ([call(1000, trace=1000)], *batches):
        await ledger.append(batch, [], NOW_NS)
    return await state(pool)


async def test_what_was_counted_ahead_is_written_as_it_is(held: Held) -> None:
    more = [*FIRST[4:], *OTHER, call(40, trace=1)]
    async with held.appending(FIRST) as first:
        second = await held.ahead(more)
    await asyncio.gather(first, second)
    assert (held.ledger.counted_ahead, held.ledger.counted_in_vain) == (1, 0)
    await assert_sums_agree(held.pool)
    found = await state(held.pool)
    assert await one_by_one(held.pool, [FIRST, more]) == found


async def test_a_failure_of_the_first_is_not_built_upon(held: Held) -> None:
    async with held.appending(FIRST) as first:
        second = await held.ahead([*FIRST[:3], *OTHER])
        await rows(
            held.pool,
            "select pg_terminate_backend(pid) from pg_locks where not granted and relation = 'intake'::regclass",
        )
    with pytest.raises(LedgerUnavailable):
        await first
    await second
    assert held.ledger.counted_in_vain == 1
    found = await state(held.pool)
    assert await one_by_one(held.pool, [[*FIRST[:3], *OTHER]]) == found


async def test_a_rate_that_was_accepted_meanwhile_holds(held: Held) -> None:
    async with held.appending(FIRST) as first:
        second = await held.ahead(OTHER)
        async with held.pool.connection() as connection:
            rate = RatePut(model_id="gpt-4o-mini-2024-07-18", stated=StatedRates(input=7_000_000, output=0))
            await RateStore().put(connection, rate, datetime.now(UTC))
    await asyncio.gather(first, second)
    assert held.ledger.counted_in_vain == 1
    costs = await rows(held.pool, "select cost_pico from entries where trace_id = decode(lpad('7', 32, '0'), 'hex')")
    assert sorted(costs) == sorted([((1000 + number) * 7_000,) for number in range(20, 26)])


async def test_where_the_heads_name_another_writer_it_is_counted_again(held: Held) -> None:
    async with held.pool.connection() as connection:
        await connection.execute(
            "create function sign_for_another() returns trigger language plpgsql as "
            "$$ begin update append_heads set writer = gen_random_uuid(); return null; end $$"
        )
        await connection.execute(
            "create constraint trigger foreign_hand after insert or update on intake deferrable initially deferred "
            "for each row execute function sign_for_another()"
        )
    more = [*FIRST[4:], *OTHER]
    async with held.appending(FIRST) as first:
        second = await held.ahead(more)
    await asyncio.gather(first, second)
    assert held.ledger.counted_in_vain == 1
    found = await state(held.pool)
    assert await one_by_one(held.pool, [FIRST, more]) == found


async def test_what_another_collector_wrote_meanwhile_is_seen(held: Held) -> None:
    other = ledger_of(held.pool, 2)
    async with held.appending(FIRST) as first:
        foreign = asyncio.create_task(other.append([*OTHER, call(50, trace=2)], [], NOW_NS))

        async def waits() -> bool:
            return bool(await rows(held.pool, "select from pg_locks where not granted and locktype = 'transactionid'"))

        await until(waits)
        second = await held.ahead([*OTHER, call(50, trace=2), call(60, trace=2)])
    await asyncio.gather(first, foreign, second)
    await assert_sums_agree(held.pool)
    found = await state(held.pool)
    assert await one_by_one(held.pool, [FIRST, [*OTHER, call(50, trace=2), call(60, trace=2)]]) == found


async def test_what_is_being_written_can_be_corrected_by_the_next(held: Held) -> None:
    above = agent(90, "researcher", trace=1)
    async with held.appending(FIRST) as first:
        second = asyncio.create_task(held.ledger.append([above], [], NOW_NS))
        await asyncio.sleep(0.1)
    await asyncio.gather(first, second)
    assert held.ledger.counted_in_vain == 0
    await assert_sums_agree(held.pool)
    found = await state(held.pool)
    assert await one_by_one(held.pool, [FIRST, [above]]) == found


async def test_an_append_that_is_cancelled_while_it_is_counted_ahead_leaves_nothing(held: Held) -> None:
    async with held.appending(FIRST) as first:
        second = await held.ahead([*FIRST[:3], *OTHER])
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        third = asyncio.create_task(held.ledger.append(OTHER[:2], [], NOW_NS))
        await asyncio.sleep(0.1)
    await asyncio.gather(first, third)
    await assert_sums_agree(held.pool)
    found = await state(held.pool)
    assert await one_by_one(held.pool, [FIRST, OTHER[:2]]) == found


@pytest.mark.parametrize("seed", range(6))
async def test_many_at_once_and_two_collectors_change_nothing(ledger_pool: Pool, seed: int, compute: Compute) -> None:
    spans, chance = story(seed), random.Random(seed)
    both = [ledger_of(ledger_pool, 1, compute=compute), ledger_of(ledger_pool, 2, remembered_spans=3, compute=compute)]
    ledgers = both[: 1 + seed % 2]
    order = [*spans, *chance.sample(list(spans), len(spans) // 3)]
    chance.shuffle(order)
    while order:
        sizes = [chance.randint(1, 6) for _ in range(5)]
        pieces = [[order.pop() for _ in range(min(size, len(order)))] for size in sizes]
        await asyncio.gather(*(chance.choice(ledgers).append(piece, [], NOW_NS) for piece in pieces))
    await assert_sums_agree(ledger_pool)
    found = await state(ledger_pool)
    async with ledger_pool.connection() as connection:
        await connection.execute(f"truncate {TABLES}")
    await ledger_of(ledger_pool, 9).append(spans, [], NOW_NS)
    assert await state(ledger_pool) == found
    if len(ledgers) == 1:
        assert ledgers[0].counted_ahead > 0

"""A span sent after a PUT has answered is priced with that rate: by every collector, however little it hears."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import NamedTuple

import pytest
from repricing_world import NOW, NOW_NS, a_ledger, assert_sums_agree, call, rows, statement

from finops.spans import SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.unpriced import UnpricedCalls

PUTS = int(os.environ.get("FINOPS_TEST_RATE_PUTS", "1000"))
MODEL = "gpt-4o-mini"
MODELS = 40


class Sent(NamedTuple):
    """A span, and the newest version that had been answered before it was sent."""

    span_id: bytes
    answered: int


class Rates:
    """One writer of rates; the version of the last PUT that has answered."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._store = RateStore()
        self.answered = 0

    async def put(self) -> None:
        number = self.answered + 1
        async with self._pool.connection() as connection:
            stored = await self._store.put(connection, statement(f"0.{number:09}", MODEL), NOW)
        self.answered = stored.version


def a_call(number: int) -> SpanRecord:
    return call(number)._replace(usage=TokenUsage(input_tokens=1000, output_tokens=1))


Make = Callable[[int], SpanRecord]


async def sending(ledger: Ledger, rates: Rates, numbers: "count[int]", sent: list[Sent], seed: int, make: Make) -> None:
    """Sends small batches until it is cancelled."""
    chance = random.Random(seed)
    while True:
        answered = rates.answered
        batch = [make(next(numbers)) for _ in range(chance.randint(1, 4))]
        await ledger.append(batch, [], NOW_NS)
        sent += [Sent(record.span_id, answered) for record in batch]


@asynccontextmanager
async def load(pool: Pool, rates: Rates, stores: list[RateStore], make: Make = a_call) -> AsyncIterator[list[Sent]]:
    """Collectors that send for as long as the block lasts; the list is whole afterwards."""
    numbers, sent = count(1), list[Sent]()
    ledgers = [a_ledger(pool, store, writer) for writer, store in enumerate(stores, 1)]
    tasks = [asyncio.create_task(sending(ledger, rates, numbers, sent, at, make)) for at, ledger in enumerate(ledgers)]
    try:
        yield sent
    finally:
        for task in tasks:
            task.cancel()
        faults = [fault for fault in await asyncio.gather(*tasks, return_exceptions=True) if fault is not None]
        assert all(isinstance(fault, asyncio.CancelledError) for fault in faults), faults


async def priced_versions(pool: Pool) -> dict[bytes, int]:
    found = await rows(pool, "select span_id, rate_version, cost_pico from entries where calls = 1")
    for _, version, cost in found:
        assert cost == version * 1000 + version * 10, "the price is that of the version it names"
    return {bytes(span): version for span, version, _ in found}


@pytest.mark.slow
async def test_thousands_of_puts_under_load_and_not_one_span_at_an_older_rate(ledger_pool: Pool) -> None:
    """The collectors listen to no notification at all: only the append's own look at the epoch can save them."""
    rates = Rates(ledger_pool)
    await rates.put()
    async with load(ledger_pool, rates, [RateStore(), RateStore()]) as sent:
        for _ in range(PUTS - 1):
            await rates.put()
        await asyncio.gather(*(one_more(ledger_pool, rates, writer) for writer in (11, 12)))
    versions = await priced_versions(ledger_pool)
    late = [(one, versions[one.span_id]) for one in sent if versions[one.span_id] < one.answered]
    assert not late
    assert rates.answered == PUTS
    assert len({versions[one.span_id] for one in sent}) > PUTS // 20, "the load was no load"
    await assert_sums_agree(ledger_pool)


async def one_more(pool: Pool, rates: Rates, writer: int) -> None:
    """A collector that has just started prices with the newest rate at once."""
    record = a_call(10**6 + writer)
    await a_ledger(pool, RateStore(), writer).append([record], [], NOW_NS)
    assert (await priced_versions(pool))[record.span_id] == rates.answered


async def test_no_call_is_left_unpriced_by_a_rate_that_came_at_the_same_moment(ledger_pool: Pool) -> None:
    """Whoever looked at the rates before the PUT has committed by the time the PUT looks for unpriced calls."""
    chance, store, unpriced = random.Random(4), RateStore(), UnpricedCalls(ledger_pool, RateStore())
    models = [f"house-{number}" for number in range(MODELS)]

    def some_call(number: int) -> SpanRecord:
        return a_call(number)._replace(request_model=chance.choice(models), response_model=None, provider="vllm")

    repriced = 0
    async with load(ledger_pool, Rates(ledger_pool), [RateStore(), RateStore()], some_call) as sent:
        for model in models:
            async with ledger_pool.connection() as connection:
                await store.put(connection, statement("0.001", model), NOW)
            repriced += (await unpriced.price()).repriced
            waiting = (
                "select count(*) from unpriced join entries using (event_time, tenant, trace_id, span_id, revision)"
            )
            assert await rows(ledger_pool, f"{waiting} where model_id = '{model}'") == [(0,)]
    assert repriced > MODELS
    assert len(sent) > repriced
    await assert_sums_agree(ledger_pool)


async def test_without_the_look_at_the_epoch_the_same_load_shows_stale_prices(ledger_pool: Pool) -> None:
    """The test above can fail: collectors that keep their first book forever are found out by it."""

    class Deaf(RateStore):
        async def load_book(self, connection):
            book = await super().load_book(connection)
            self.load_book = lambda _: asyncio.sleep(0, book)  # type: ignore[method-assign]
            return book

    rates = Rates(ledger_pool)
    await rates.put()
    async with load(ledger_pool, rates, [Deaf(), Deaf()]) as sent:
        while rates.answered < 40 or len(sent) < 40:
            await rates.put()
    versions = await priced_versions(ledger_pool)
    assert any(versions[one.span_id] < one.answered for one in sent)

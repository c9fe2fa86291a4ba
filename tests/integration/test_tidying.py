"""The collector searches only what is new for circles, so nothing it lets go of may be one."""

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator
from uuid import uuid4

import pytest
from storm.storm_traffic import Traffic

from collector.decode import decode_traces
from collector.tidying import (
    NEW_SPANS_MAX,
    QUIET_TICKS,
    REST_TICKS,
    THOROUGH_AFTER_FAILURES,
    THOROUGH_AFTER_TICKS,
    Tidying,
    tidy,
    tidy_up,
)
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore


@pytest.fixture
def by_hand() -> Iterator[None]:
    """No collections but those asked for."""
    gc.collect()
    gc.disable()
    yield
    gc.unfreeze()
    gc.enable()


async def appended(ledger: Ledger, exports: int) -> None:
    """Exports of conversations, tidied after each as the collector does."""
    traffic = Traffic(7)
    for number in range(exports):
        body = traffic.next().body
        records = decode_traces(body, "", time.time_ns()).records
        await ledger.append(records, [], time.time_ns())
        if number % 3 == 0:
            await ledger.append(records, [], time.time_ns())
        tidy()


async def test_spans_that_are_no_longer_remembered_leave_no_circles_behind(ledger_pool: Pool, by_hand: None) -> None:
    ledger = Ledger(ledger_pool, RateStore(), writer=uuid4(), limits=Limits(remembered_spans=50))
    await appended(ledger, 5)
    gc.unfreeze()
    gc.collect()
    await appended(ledger, 60)
    gc.unfreeze()
    assert gc.collect() < 200


class Circle:
    def __init__(self) -> None:
        self.itself = self


class Given:
    """What a ledger would have been given."""

    def __init__(self) -> None:
        self.spans = 0
        self.refusals = 0


async def test_what_failures_of_the_ledger_tied_together_is_taken_apart(by_hand: None) -> None:
    given = Given()
    tidying = asyncio.create_task(tidy_up(given))
    circle = Circle()
    left = weakref.ref(circle)
    await asyncio.sleep(0.25)
    tidy()
    del circle
    await asyncio.sleep(0.25)
    assert left() is not None, "then it was not let go of, and a search through everything is not needed"
    given.refusals = THOROUGH_AFTER_FAILURES
    async with asyncio.timeout(10):
        while left() is not None:  # noqa: ASYNC110 - nothing tells when an object goes
            await asyncio.sleep(0.02)
    tidying.cancel()


def test_while_much_arrives_it_is_put_aside_and_the_first_quiet_second_searches_it(by_hand: None) -> None:
    given = Given()
    tidying = Tidying(given)
    circle = Circle()
    left = weakref.ref(circle)
    given.spans += NEW_SPANS_MAX + 1
    assert tidying.tick() == "none"
    del circle
    looks = [tidying.tick() for _ in range(QUIET_TICKS - 1)]
    assert set(looks) == {"new"}
    assert left() is not None
    assert tidying.tick() == "thorough"
    assert left() is None
    given.spans += NEW_SPANS_MAX
    assert tidying.tick() == "new"


def test_searches_of_everything_rest_a_minute_and_wait_ten_at_most(by_hand: None) -> None:
    given = Given()
    tidying = Tidying(given)
    looks = []
    for _ in range(3 * REST_TICKS // QUIET_TICKS):
        given.spans += NEW_SPANS_MAX + 1
        looks += [tidying.tick() for _ in range(QUIET_TICKS + 1)]
    assert 3 <= looks.count("thorough") <= 4
    tidying, looks = Tidying(given), []
    for _ in range(THOROUGH_AFTER_TICKS + 2):
        given.spans += NEW_SPANS_MAX + 1
        looks.append(tidying.tick())
    assert looks.index("thorough") == THOROUGH_AFTER_TICKS

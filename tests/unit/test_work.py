"""Work in a thread ends before anybody goes on, whatever becomes of who asked for it."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest

from ledger.work import WorkThread, in_place


@pytest.fixture
def thread() -> Iterator[WorkThread]:
    thread = WorkThread()
    yield thread
    thread.close()


async def test_work_is_done_elsewhere_one_after_the_other_and_the_loop_goes_on(thread: WorkThread) -> None:
    assert await in_place(threading.get_ident) == threading.get_ident()
    there = await asyncio.gather(*(thread(threading.get_ident) for _ in range(4)))
    assert len(set(there)) == 1
    assert threading.get_ident() not in there
    working = asyncio.create_task(thread(lambda: time.sleep(0.2)))
    turns = 0
    while not working.done():
        await asyncio.sleep(0.005)
        turns += 1
    assert turns > 5


async def test_a_fault_is_that_of_who_asked(thread: WorkThread) -> None:
    def fails() -> None:
        raise ArithmeticError("seven")

    with pytest.raises(ArithmeticError, match="seven"):
        await thread(fails)
    assert await thread(lambda: 7) == 7


async def test_who_is_cancelled_even_twice_goes_on_when_the_work_has_ended(thread: WorkThread) -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), []

    def work() -> None:
        begun.set()
        may_end.wait(10)
        ended.append(True)

    waiting = asyncio.create_task(thread(work))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(2):
        waiting.cancel()
        await asyncio.sleep(0.02)
        assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == [True]

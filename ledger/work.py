"""Where an append computes: in place, or in a thread of its own, so that the server does not wait for it meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

T = TypeVar("T")


class Compute(Protocol):
    """Does work of the processor and says what came of it."""

    async def __call__(self, work: Callable[[], T]) -> T:
        """Cancelled, it still ends what it has begun."""


async def in_place(work: Callable[[], T]) -> T:
    """Whoever shares the loop waits."""
    return work()


class WorkThread:
    """A thread, made when it is first needed. ``close`` at the end."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compute")

    async def __call__(self, work: Callable[[], T]) -> T:
        """What ``work`` comes to over there."""
        begun = asyncio.get_running_loop().run_in_executor(self._thread, work)
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            # What is remembered is in its hands until it ends.
            while not begun.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait({begun})
            raise

    def close(self) -> None:
        """Nothing may be under way any more."""
        self._thread.shutdown()

"""The ledger in a thread of its own: counting and pricing a group takes tenths of a second, and nobody waits for it.

The thread has an event loop of its own, in which the ledger's connection lives. The loop that answers senders and
health checks goes on meanwhile: the interpreter changes between the two every few milliseconds.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from collector.writer import Ledger
from finops.spans import AppendOutcome, Rejected, SpanRecord

T = TypeVar("T")


class LedgerThread:
    """Runs coroutines in its own loop. ``start`` before, ``stop`` after."""

    def __init__(self, loop_factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
        self._loop = (loop_factory or asyncio.new_event_loop)()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ledger", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What ``work`` comes to over there. Cancelling here cancels it there."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def stop(self) -> None:
        """End; nothing may be under way any more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class LedgerElsewhere:
    """A ledger in its thread, for whoever is in another."""

    def __init__(self, ledger: Ledger, thread: LedgerThread) -> None:
        self._ledger = ledger
        self._thread = thread

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """As the ledger's."""
        return await self._thread.run(self._ledger.append(batch, rejected, arrived_ns))

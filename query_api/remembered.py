"""Values that are read again and again, kept for a moment: fresh for some time, then read anew behind the answer.

A reader never gets a value older than the limit: past it, it waits. One reading at a time for each key, and few at once
for all, so that many readers do not become many queries.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from finops.spans import LedgerUnavailable

READINGS_MAX = 4
"""Queries of one store at once."""
Value = TypeVar("Value")
_log = logging.getLogger("query_api")


class Freshness(NamedTuple):
    """Ages in seconds, and how many values are kept."""

    fresh_seconds: float
    stale_seconds: float
    """A value older than this is not given out."""
    entries_max: int


class Remembered(Generic[Value]):
    """Values by key. ``monotonic`` is a clock in seconds."""

    def __init__(self, freshness: Freshness, monotonic: Callable[[], float]) -> None:
        self._freshness = freshness
        self._monotonic = monotonic
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._reading: dict[Hashable, asyncio.Task[Value]] = {}
        self._room = asyncio.Semaphore(READINGS_MAX)

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, key: Hashable, read: Callable[[], Awaitable[Value]]) -> tuple[Value, float]:
        """The value and its age in seconds. Raises what ``read`` raises where nothing young enough is kept."""
        kept = self._kept.get(key)
        if kept is not None:
            age = self._monotonic() - kept[0]
            if age > self._freshness.fresh_seconds and key not in self._reading:
                self._read(key, read).add_done_callback(_tell_of_a_fault)
            if age <= self._freshness.stale_seconds:
                self._kept.move_to_end(key)
                return kept[1], age
        return await asyncio.shield(self._reading.get(key) or self._read(key, read)), 0.0

    def forget(self) -> None:
        """What was being read is not kept either: something has changed."""
        self._kept.clear()
        self._reading.clear()

    def _read(self, key: Hashable, read: Callable[[], Awaitable[Value]]) -> asyncio.Task[Value]:
        task = asyncio.get_running_loop().create_task(self._read_and_keep(key, read))
        self._reading[key] = task
        return task

    async def _read_and_keep(self, key: Hashable, read: Callable[[], Awaitable[Value]]) -> Value:
        me = asyncio.current_task()
        try:
            async with self._room:
                began = self._monotonic()
                value = await read()
            if self._reading.get(key) is me:
                self._kept[key] = (began, value)
                self._kept.move_to_end(key)
                if len(self._kept) > self._freshness.entries_max:
                    self._kept.popitem(last=False)
            return value
        finally:
            if self._reading.get(key) is me:
                del self._reading[key]


def _tell_of_a_fault(task: "asyncio.Task[Value]") -> None:
    """Behind an answer nobody waits for the fault; the value grows too old and the next reader gets it."""
    fault = None if task.cancelled() else task.exception()
    if fault is not None and not isinstance(fault, LedgerUnavailable):
        _log.error("a value could not be read again: %s", type(fault).__name__, exc_info=fault)

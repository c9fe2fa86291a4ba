"""Values that are read many at a time and kept for a moment: what is waited for is read at once, and together.

As ``remembered``, for keys of which there are thousands: one query then answers many. What only grows old is read
behind the answers, a little later, so that more of it comes together, and never in the way of what is waited for.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from finops.spans import LedgerUnavailable
from query_api.remembered import Freshness

AT_ONCE_MAX = 200
"""Questions of one reading."""
READINGS_MAX = 3
"""Readings at once of what is waited for; of what is not, one."""
LINGER_SECONDS = 0.1
"""For what is not waited for to come together."""
Question = TypeVar("Question")
Value = TypeVar("Value")


class Gathered(Generic[Question, Value]):
    """Values by key; ``read`` answers questions in their order. ``monotonic`` is a clock in seconds."""

    def __init__(
        self,
        read: Callable[[Sequence[Question]], Awaitable[Sequence[Value]]],
        freshness: Freshness,
        monotonic: Callable[[], float],
    ) -> None:
        self._read = read
        self._freshness = freshness
        self._monotonic = monotonic
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._queue: dict[Hashable, Question] = {}
        self._later: dict[Hashable, Question] = {}
        self._awaited: dict[Hashable, asyncio.Future[Value]] = {}
        self._readings: set[asyncio.Task[None]] = set()
        self._lingering: asyncio.TimerHandle | None = None

    async def get(self, key: Hashable, question: Question) -> tuple[Value, float]:
        """The value and its age in seconds. Raises what ``read`` raises where nothing young enough is kept."""
        kept = self._kept.get(key)
        if kept is not None:
            age = self._monotonic() - kept[0]
            if age <= self._freshness.stale_seconds:
                self._kept.move_to_end(key)
                if age > self._freshness.fresh_seconds and key not in self._awaited:
                    self._awaited[key] = asyncio.get_running_loop().create_future()
                    self._later[key] = question
                    if self._lingering is None:
                        self._linger()
                return kept[1], age
        return await asyncio.shield(self._wanted(key, question)), 0.0

    def _wanted(self, key: Hashable, question: Question) -> "asyncio.Future[Value]":
        awaited = self._awaited.get(key)
        if awaited is None or self._later.pop(key, None) is not None:
            awaited = awaited or asyncio.get_running_loop().create_future()
            self._awaited[key], self._queue[key] = awaited, question
            if len(self._readings) < READINGS_MAX:
                self._start(self._queue, self._readings.discard)
        return awaited

    def _linger(self) -> None:
        self._lingering = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._linger_ends)

    def _linger_ends(self) -> None:
        def ended(reading: "asyncio.Task[None]") -> None:
            self._readings.discard(reading)
            self._lingering = None
            if self._later:
                self._linger()

        self._start(self._later, ended)

    def _start(self, queue: dict[Hashable, Question], ended: "Callable[[asyncio.Task[None]], None]") -> None:
        reading = asyncio.get_running_loop().create_task(self._drain(queue))
        self._readings.add(reading)
        reading.add_done_callback(ended)

    async def _drain(self, queue: dict[Hashable, Question]) -> None:
        while queue:
            keys = list(queue)[:AT_ONCE_MAX]
            questions, began = [queue.pop(key) for key in keys], self._monotonic()
            try:
                values = await self._read(questions)
            except BaseException as fault:
                self._fail(keys, fault)
                if not isinstance(fault, LedgerUnavailable):
                    raise
            else:
                for key, value in zip(keys, values, strict=True):
                    self._keep(key, value, began)

    def _keep(self, key: Hashable, value: Value, began: float) -> None:
        self._kept[key] = (began, value)
        self._kept.move_to_end(key)
        if len(self._kept) > self._freshness.entries_max:
            self._kept.popitem(last=False)
        self._awaited.pop(key).set_result(value)

    def _fail(self, keys: Sequence[Hashable], fault: BaseException) -> None:
        for key in keys:
            awaited = self._awaited.pop(key)
            awaited.set_exception(fault if isinstance(fault, Exception) else LedgerUnavailable("cut off"))
            awaited.exception()  # where nobody waits for it, nobody need be told

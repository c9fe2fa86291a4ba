"""Exports answered before they were durable: who comes back with the same bytes waits for the same commit.

Without this an append that takes longer than an answer may is a treadmill: what it writes is sent, decoded and written
again meanwhile. Nothing is doubled by forgetting one; the ledger then finds its spans to be there.
"""

import asyncio
import hashlib
from collections import Counter, OrderedDict
from typing import NamedTuple

from collector.metrics import LATE, LATE_HELD, Metrics
from collector.otlp_status import Answer, Encoding, Signal

Answering = asyncio.Future[Answer]
"""What an export will be answered when its commit has ended."""


class Shape(NamedTuple):
    """What two bodies have in common before anybody looks into them."""

    tenant: str
    signal: Signal
    encoding: Encoding
    bytes: int


class LateExports:
    """At most ``exports_max`` of them, the oldest forgotten first; used on one event loop."""

    def __init__(self, exports_max: int, metrics: Metrics) -> None:
        self._exports_max = exports_max
        self._metrics = metrics
        self._answers: OrderedDict[tuple[Shape, bytes], Answering] = OrderedDict()
        self._shapes: Counter[Shape] = Counter()
        metrics.watch(LATE_HELD, lambda: len(self._answers))

    async def remember(self, shape: Shape, body: bytes, answering: Answering) -> None:
        """``body`` is about to be answered "not durable in time"; ``answering`` goes on."""
        if not self._exports_max:
            return
        key = (shape, await _digest(body))
        self._forget(key)
        self._answers[key] = answering
        self._shapes[shape] += 1
        self._metrics.count(LATE, "remembered")
        answering.add_done_callback(lambda ended: self._ended(key, ended))
        while len(self._answers) > self._exports_max:
            self._forget(next(iter(self._answers)))
            self._metrics.count(LATE, "forgotten")

    async def take(self, shape: Shape, body: bytes) -> Answering | None:
        """What the same bytes were not answered yet, once; None: they are new, or nothing of them was kept."""
        if shape not in self._shapes:
            return None
        key = (shape, await _digest(body))
        answering = self._answers.get(key)
        if answering is not None:
            self._forget(key)
            self._metrics.count(LATE, "recognised")
        return answering

    def _ended(self, key: tuple[Shape, bytes], ended: Answering) -> None:
        if ended.result().outcome.retryable and self._answers.get(key) is ended:
            self._forget(key)

    def _forget(self, key: tuple[Shape, bytes]) -> None:
        if self._answers.pop(key, None) is None:
            return
        shape = key[0]
        self._shapes[shape] -= 1
        if not self._shapes[shape]:
            del self._shapes[shape]


async def _digest(body: bytes) -> bytes:
    """In a thread: 16 MiB take longer than the loop may stand still."""
    return (await asyncio.to_thread(hashlib.sha256, body)).digest()

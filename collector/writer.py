"""Group commit: while one append runs the next group forms, so batching costs no waiting.

Every export gets its own answer, after the commit that made it durable. Durability itself is the ledger's; which
exports may queue at all is ``admission``'s.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from collector.fair_queue import FairQueue
from collector.log_format import where
from collector.metrics import (
    APPEND_FAILURES,
    APPEND_SECONDS,
    APPENDED,
    CONFLICTS,
    GROUP_REQUESTS,
    GROUP_SPANS,
    Metrics,
)
from collector.suspended import with_record
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord

POISONOUS_SPANS_MAX = 16
"""More spans than this refused one by one in one export: the fault is the ledger's, not theirs."""
POISON = "refused_by_ledger"
logger = logging.getLogger("collector.append")


class Ledger(Protocol):
    """Where spans become durable."""

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """Returns after the commit. Raises ``LedgerUnavailable`` when nothing was kept and retrying can help."""
        ...


class Settled(NamedTuple):
    """What became of one export."""

    group: AppendOutcome
    """Of the whole commit it was part of."""
    refused: Sequence[Rejected] = ()
    """Its spans that only the ledger found out to be indigestible; they are in suspense."""


class Export(NamedTuple):
    """One decoded export waiting for its group."""

    batch: Sequence[SpanRecord]
    rejected: Sequence[Rejected]
    arrived_ns: int
    """Unix nanoseconds."""
    settled: "asyncio.Future[Settled | LedgerUnavailable]"

    @property
    def spans(self) -> int:
        """Believed and not believed."""
        return len(self.batch) + len(self.rejected)


class GroupWriter:
    """One task that appends; ``seconds`` is a monotonic clock.

    ``doubts_ledger``: an export of which nothing can be appended is given back to its sender, unless the database says
    that its values are at fault. Off where there is no sender any more. ``appends_max``: so many at once, where enough
    is waiting; for a ledger that does something with the second while it writes the first.
    """

    def __init__(
        self,
        ledger: Ledger,
        metrics: Metrics,
        *,
        group_spans: int,
        queue_requests: int,
        seconds: Callable[[], float],
        doubts_ledger: bool = True,
        appends_max: int = 1,
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._group_spans = group_spans
        self._queue_requests = queue_requests
        self._seconds = seconds
        self._doubts_ledger = doubts_ledger
        self._appends_max = appends_max
        self._under_way: set[asyncio.Task[None]] = set()
        self._queue: FairQueue[Export] = FairQueue()
        self._wake = asyncio.Event()
        self._stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin appending; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name="append")

    def submit(
        self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int
    ) -> "asyncio.Future[Settled | LedgerUnavailable]":
        """Queue one export. The future is never cancelled from here: shield it if its sender may go away."""
        settled: asyncio.Future[Settled | LedgerUnavailable] = asyncio.get_running_loop().create_future()
        if self._stopping or self._task is None:
            settled.set_result(LedgerUnavailable("the collector is stopping"))
        elif len(self._queue) >= self._queue_requests:
            settled.set_result(LedgerUnavailable("too many exports are waiting"))
        else:
            self._queue.append(Export(batch, rejected, arrived_ns, settled))
            self._wake.set()
        return settled

    async def stop(self, within_seconds: float) -> bool:
        """Append what is queued and stop. False: time ran out and the rest was answered UNAVAILABLE."""
        self._stopping = True
        self._wake.set()
        if self._task is None:
            return True
        _, late = await asyncio.wait({self._task}, timeout=max(0.0, within_seconds))
        if late:
            self._task.cancel()
            await asyncio.wait({self._task})
        while self._queue:
            self._settle(self._queue.group(self._group_spans), LedgerUnavailable("the collector is stopping"))
        return not late

    async def _run(self) -> None:
        try:
            while True:
                self._wake.clear()
                while self._queue and self._may_begin():
                    self._begin(self._queue.group(self._group_spans))
                if self._stopping and not self._queue and not self._under_way:
                    return
                await self._wake.wait()
        finally:
            for task in self._under_way:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)

    def _may_begin(self) -> bool:
        """A second append is worth its while only where half a group waits for it."""
        appends = len(self._under_way)
        return not appends or (appends < self._appends_max and 2 * self._queue.spans >= self._group_spans)

    def _begin(self, group: list[Export]) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            self._under_way.discard(task)
            self._wake.set()

        task = asyncio.create_task(self._append_group(group), name="append a group")
        self._under_way.add(task)
        task.add_done_callback(ended)

    async def _append_group(self, group: list[Export]) -> None:
        self._metrics.observe(GROUP_REQUESTS, len(group))
        self._metrics.observe(GROUP_SPANS, sum(export.spans for export in group))
        try:
            outcome = await self._append(
                [record for export in group for record in export.batch],
                [refused for export in group for refused in export.rejected],
                group[0].arrived_ns,
            )
        except LedgerUnavailable as unavailable:
            self._settle(group, _afresh(unavailable))
        except asyncio.CancelledError:
            self._settle(group, LedgerUnavailable("the collector is stopping"))
            raise
        except Exception as fault:  # noqa: BLE001 - whatever it is, no export may wait for ever
            await self._append_apart(group, fault)
        else:
            self._settle(group, Settled(outcome))

    async def _append_apart(self, group: list[Export], fault: Exception) -> None:
        """The group cannot be appended as it is: find whose fault that is, so that nobody else pays for it."""
        logger.error("append failed, trying each export alone", extra={"fault": where(fault), "exports": len(group)})
        for export in group:
            try:
                settled: Settled | LedgerUnavailable = await self._append_without_poison(export)
            except LedgerUnavailable as unavailable:
                settled = _afresh(unavailable)
            except asyncio.CancelledError:
                self._settle(group, LedgerUnavailable("the collector is stopping"))
                raise
            self._settle([export], settled)

    async def _append_without_poison(self, export: Export) -> Settled:
        """Halve until the spans that the ledger refuses stand alone, and hand those over as rejected."""
        poison: list[Rejected] = []
        doubtful = False
        total = AppendOutcome()
        parts = [list(export.batch)]
        while parts:
            part = parts.pop()
            try:
                total = _sum(total, await self._append(part, [], export.arrived_ns))
            except LedgerUnavailable:
                raise
            except Exception as fault:
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                elif part and len(poison) < POISONOUS_SPANS_MAX:
                    only = part[0]
                    found = Rejected(POISON, type(fault).__name__, only.trace_id, only.span_id, only.tenant)
                    poison.append(with_record(found, only))
                    doubtful |= not _is_about_data(fault)
                else:
                    raise LedgerUnavailable("the ledger refuses everything") from fault
        if doubtful and self._doubts_ledger and len(poison) == len(export.batch):
            # Not one span was taken, and not for its values: more likely the fault is ours, and no span may pay for it.
            raise LedgerUnavailable("the ledger takes nothing of it")
        try:
            total = _sum(total, await self._append([], [*export.rejected, *poison], export.arrived_ns))
        except LedgerUnavailable:
            raise
        except Exception as fault:
            raise LedgerUnavailable("the ledger refuses suspense") from fault
        return Settled(total, poison)

    async def _append(
        self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int
    ) -> AppendOutcome:
        began = self._seconds()
        try:
            outcome = await self._ledger.append(batch, rejected, arrived_ns)
        except LedgerUnavailable:
            self._metrics.count(APPEND_FAILURES, "unavailable")
            raise
        except Exception:
            self._metrics.count(APPEND_FAILURES, "refused")
            raise
        finally:
            self._metrics.observe(APPEND_SECONDS, self._seconds() - began)
        for name in ("posted", "redelivered", "suspense", "ignored"):
            self._metrics.count(APPENDED, name, by=getattr(outcome, name))
        self._metrics.count(CONFLICTS, by=outcome.conflicts)
        return outcome

    @staticmethod
    def _settle(group: Sequence[Export], settled: Settled | LedgerUnavailable) -> None:
        for export in group:
            if not export.settled.done():
                export.settled.set_result(settled)


def _afresh(unavailable: LedgerUnavailable) -> LedgerUnavailable:
    """The same without where it came from: that leads back to the group, and the group to its answer."""
    return LedgerUnavailable(str(unavailable))


def _is_about_data(fault: Exception) -> bool:
    """Whether the database says that a value cannot be stored (data exception, integrity constraint violation)."""
    return str(getattr(fault, "sqlstate", None) or "").startswith(("22", "23"))


def _sum(one: AppendOutcome, other: AppendOutcome) -> AppendOutcome:
    return AppendOutcome(*(a + b for a, b in zip(one, other, strict=True)))

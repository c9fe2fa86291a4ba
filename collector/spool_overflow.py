"""When exports go to the spool and when they leave it: a ledger that answers in time even while the real one cannot.

The real ledger is tried first. Where it does not commit within ``after_seconds``, or cannot, the group goes to the
spool and is answered; from then on everything goes there, so that the order of arrival is kept, until the spool has
been drained. What was appended and spooled as well is recognised by the ledger as redelivered.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from collector.log_format import Sparse, where
from collector.metrics import SPOOL_AGE, SPOOL_BYTES, SPOOL_EXPORTS, SPOOL_SPANS, Metrics
from collector.spool import Spool, Spooled, SpoolUnavailable
from collector.writer import GroupWriter, Ledger, Settled
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord

DRAIN_APART_NS_MAX = 10**9
"""Exports that arrived within a second leave in one group: the time of arrival dates what a sender's clock cannot."""
RETRY_SECONDS = 0.25, 2.0
"""Between two attempts to drain: first, and at most."""
T = TypeVar("T")
logger = logging.getLogger("collector.spool")


class OneAtATime:
    """The ledger behind a lock: an append that outlives its answer still runs alone."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._lock = asyncio.Lock()

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """As the ledger's."""
        async with self._lock:
            return await self._ledger.append(batch, rejected, arrived_ns)


class Limits(NamedTuple):
    """When to spill, and how much leaves at once."""

    after_seconds: float
    group_spans: int


class Overflow:
    """A ``Ledger`` for the collector's writer. ``start`` before, ``stop`` after; clocks are seconds and Unix ns."""

    def __init__(
        self,
        ledger: Ledger,
        spool: Spool,
        metrics: Metrics,
        limits: Limits,
        monotonic: Callable[[], float],
        unix_ns: Callable[[], int],
    ) -> None:
        self._ledger = OneAtATime(ledger)
        self._spool = spool
        self._metrics = metrics
        self._limits = limits
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        self._sparse = Sparse(monotonic)
        self._drainer = GroupWriter(
            self._ledger,
            metrics,
            group_spans=limits.group_spans,
            queue_requests=1,
            seconds=monotonic,
            doubts_ledger=False,
        )
        self._draining: asyncio.Task[None] | None = None
        self._late: set[asyncio.Task[AppendOutcome]] = set()
        self._putting = 0
        self._refusal: str | None = None
        """Why the spool took nothing the last time."""
        metrics.watch(SPOOL_BYTES, lambda: spool.bytes)
        metrics.watch(SPOOL_EXPORTS, lambda: spool.exports)
        metrics.watch(SPOOL_AGE, lambda: max(0.0, (unix_ns() - spool.oldest_ns) / 1e9) if spool.oldest_ns else 0.0)

    @property
    def is_spilling(self) -> bool:
        """Everything goes to the spool now."""
        return self._draining is not None

    def state(self) -> dict[str, object]:
        """For the health page."""
        spool = self._spool
        return {
            "bytes": spool.bytes,
            "bytesMax": spool.bytes_max,
            "exports": spool.exports,
            "damaged": spool.damaged,
            "spilling": self.is_spilling,
            "refusal": self._refusal,
        }

    async def start(self) -> None:
        """Open the spool, and drain what an earlier life left there. Raises ``OSError`` where it cannot be opened."""
        try:
            await self._in_thread(self._spool.open)
        except Exception as fault:
            raise OSError(f"the spool cannot be opened: {fault}") from fault
        if self._spool.unreadable:
            logger.critical("a spool cannot be read and is put aside", extra={"file": self._spool.unreadable})
        self._drainer.start()
        if self._spool.exports:
            logger.info("draining what was left in the spool", extra={"exports": self._spool.exports})
            self._spill()

    async def stop(self, within_seconds: float) -> None:
        """Stop draining; what is left is on disk and leaves in the next life."""
        await self._drainer.stop(within_seconds)
        tasks = [*self._late, *([self._draining] if self._draining else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within_seconds)
        if self._spool.exports:
            logger.info("left in the spool", extra={"exports": self._spool.exports, "bytes": self._spool.bytes})
        await self._in_thread(self._spool.close)
        self._thread.shutdown(wait=False)

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """Returns after the commit, or after the spool has it on disk; then the outcome is empty.

        Raises ``LedgerUnavailable`` where neither took it.
        """
        if self.is_spilling:
            await self._put(batch, rejected, arrived_ns)
            return AppendOutcome()
        appending = asyncio.create_task(self._ledger.append(batch, rejected, arrived_ns))
        try:
            done, _ = await asyncio.wait({appending}, timeout=self._limits.after_seconds)
        except asyncio.CancelledError:
            appending.cancel()
            raise
        if done:
            try:
                return appending.result()
            except LedgerUnavailable as fault:
                logger.warning("the ledger is unavailable: exports go to the spool", extra={"reason": str(fault)})
                self._spill()
                await self._put(batch, rejected, arrived_ns)
                return AppendOutcome()
            finally:
                del appending, done  # its exception holds this frame
        logger.warning("the ledger is slow: exports go to the spool")
        self._late.add(appending)
        self._spill()
        await self._put(batch, rejected, arrived_ns)
        return AppendOutcome()

    async def _put(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> None:
        spans = len(batch) + len(rejected)
        self._putting += 1
        try:
            await self._in_thread(lambda: self._spool.put(batch, rejected, arrived_ns))
        except SpoolUnavailable as fault:
            self._refusal = fault.reason
            self._metrics.count(SPOOL_SPANS, f"refused_{fault.reason}", by=spans)
            if (held_back := self._sparse.held_back(fault.reason)) is not None:
                logger.warning("the spool refuses", extra={"reason": fault.reason, "held_back": held_back})
            raise LedgerUnavailable(f"neither ledger nor spool can take it ({fault.reason})") from fault
        finally:
            self._putting -= 1
        self._refusal = None
        self._metrics.count(SPOOL_SPANS, "stored", by=spans)

    def _spill(self) -> None:
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(), name="drain")

    async def _drain(self) -> None:
        """Until the spool is empty and nothing is on its way into it."""
        wait = RETRY_SECONDS[0]
        while True:
            if self._late:
                await asyncio.wait(self._late)
                for task in self._late:
                    if not task.cancelled():
                        task.exception()  # its group is in the spool, too
                self._late.clear()
            try:
                left = await self._drain_group()
            except Exception as fault:  # noqa: BLE001 - whatever it is, draining goes on
                left = False
                if (held_back := self._sparse.held_back("drain")) is not None:
                    logger.warning("cannot drain", extra={"fault": where(fault), "held_back": held_back})
            if left:
                wait = RETRY_SECONDS[0]
            elif self._spool.exports or self._putting:
                await asyncio.sleep(wait)
                wait = min(2 * wait, RETRY_SECONDS[1])
            else:
                logger.info("the spool is drained")
                self._draining = None
                return

    async def _drain_group(self) -> bool:
        """Whether a group has left the spool."""
        spans_max = self._limits.group_spans
        damaged = self._spool.damaged
        rows = await self._in_thread(lambda: self._spool.oldest(spans_max, DRAIN_APART_NS_MAX))
        if self._spool.damaged > damaged:
            self._metrics.count(SPOOL_SPANS, "damaged", by=self._spool.damaged - damaged)
            logger.critical("damaged rows in the spool are set aside", extra={"rows": self._spool.damaged})
        if not rows:
            if not self._spool.exports and not self._putting:
                await self._in_thread(self._spool.compact)
            return False
        settled = await self._appended(rows)
        if isinstance(settled, LedgerUnavailable):
            raise LedgerUnavailable(str(settled))  # raised itself it would hold this frame, and this frame it
        await self._in_thread(lambda: self._spool.drop([row.seq for row in rows]))
        self._refusal = None
        self._metrics.count(SPOOL_SPANS, "drained", by=sum(len(row.records) + len(row.rejected) for row in rows))
        return True

    async def _appended(self, rows: Sequence[Spooled]) -> Settled | LedgerUnavailable:
        records = [record for row in rows for record in row.records]
        rejected = [refused for row in rows for refused in row.rejected]
        return await self._drainer.submit(records, rejected, rows[0].arrived_ns)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

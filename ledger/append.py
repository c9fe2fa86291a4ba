"""Takes spans in and writes what they cost, all in one transaction: count, price, entries, rollups, windows.

Whoever appends for a tenant holds the row of its shard in ``append_heads`` until the commit. So appends of one tenant
come one after the other, in whatever replica they arise, and nothing can deadlock. What a collector remembers of open
traces is used only while that row says that nobody else has appended since (``docs/adr/0003``).

While one batch is being written the next one is counted ahead, as if the first were committed already. When its turn
comes, the row says whether that was so; if not, it is counted again (``docs/adr/0011``).
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple
from uuid import UUID

from psycopg import InterfaceError, InternalError, OperationalError
from psycopg.errors import DeadlockDetected, UniqueViolation
from psycopg.pq import TransactionStatus

from finops.counting import Arrivals, TraceKey
from finops.event_time import event_time_ns
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord
from finops.trace_node import Node
from ledger import append_rows, call_scopes
from ledger.counted import Came, Counted
from ledger.engine import keeps_rollups
from ledger.open_traces import OpenTraces, Rates, shard_of
from ledger.pool import Connection, Pool
from ledger.settling import Settling
from ledger.work import Compute, in_place
from sql import query

COMPUTED_APART_SPANS = 64
"""Of fewer the way into a thread and back takes longer."""
CONNECTIONS_AHEAD = 2
"""With fewer in the pool nothing is counted ahead."""
WARY_APPENDS = 64
"""After a batch was counted ahead in vain, so many are not."""


class Limits(NamedTuple):
    """How much of open traces is remembered."""

    remembered_spans: int = 20_000


class _Batch(NamedTuple):
    """What is to be appended."""

    records: Sequence[SpanRecord]
    rejected: Sequence[Rejected]
    arrived_ns: int


class Ledger:
    """Appends for one process. Of several at once the second is counted ahead and the others wait, in order."""

    def __init__(self, pool: Pool, rates: Rates, *, writer: UUID, limits: Limits, compute: Compute = in_place) -> None:
        self._pool = pool
        self._compute = compute
        self._writer = writer
        self._rollups: bool | None = None
        self._open = OpenTraces(rates, writer, limits.remembered_spans)
        self._counting = asyncio.Lock()
        self._writing = asyncio.Lock()
        self._failures = 0
        """Of whatever leaves the memory unlike the ledger; what was counted before one is not written after it."""
        self._remembered_since = 0
        """The failures when the memory was last empty; it can be trusted while there were no more."""
        self._unwritten: Collection[TraceKey] = ()
        """Traces of which the ledger does not hold yet what is remembered."""
        self._wary = 0
        self.counted_ahead = 0
        """Batches counted while another was written."""
        self.counted_in_vain = 0
        """Of those, the ones that had to be counted again."""

    @property
    def remembered_spans(self) -> int:
        """Spans held in memory."""
        return len(self._open.counter)

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """Commits a batch and says what became of it. Raises ``LedgerUnavailable`` with nothing kept."""
        whole = _Batch(batch, rejected, arrived_ns)
        try:
            return await self._attempt(whole)
        except (UniqueViolation, LedgerUnavailable) as fault:
            # A deadlock is with the server's own work on old chunks, which is over when it was broken.
            if isinstance(fault, LedgerUnavailable) and not isinstance(fault.__cause__, DeadlockDetected):
                raise
            return await self._attempt(whole)

    async def _attempt(self, batch: _Batch) -> AppendOutcome:
        async with AsyncExitStack() as counting:
            await counting.enter_async_context(self._counting)
            ahead = await self._count_ahead(batch)
            try:
                await self._writing.acquire()
            except BaseException:
                self._fail()
                raise
            try:
                return await self._commit(batch, ahead, counting)
            except (OperationalError, InterfaceError, InternalError) as error:
                self._fail()
                # Without its traceback, which holds the batch: the pool's errors are held by the pool's own frames.
                raise LedgerUnavailable(type(error).__name__) from error.with_traceback(None)
            except BaseException:
                self._fail()
                raise
            finally:
                self._unwritten = ()
                self._writing.release()

    def _fail(self) -> None:
        self._failures += 1
        self._rollups = None

    async def _commit(self, batch: _Batch, ahead: "_Ahead | None", counting: AsyncExitStack) -> AppendOutcome:
        """In its turn. ``counting`` is closed when the next batch may be counted."""
        shards = sorted({shard_of(record.tenant) for record in batch.records})
        async with self._pool.connection() as connection, connection.transaction():
            holds = await self._lock(connection, shards)
            self._wary = max(0, self._wary - 1)
            if ahead is not None and not (holds and ahead.failures == self._failures):
                ahead, self._wary = None, WARY_APPENDS
                self.counted_in_vain += 1
                self._fail()
            counted = ahead.counted if ahead is not None else await self._count(connection, batch)
            if ahead is not None:
                self._unwritten = counted.traces()
                await counting.aclose()
            await counted.write(connection)
            if ahead is None:
                self._unwritten = counted.traces()
                await counting.aclose()
            return await self._add(connection, counted, shards)

    async def _lock(self, connection: Connection, shards: Sequence[int]) -> bool:
        """Takes the heads in their order; whether what was counted before still holds."""
        return await self._open.lock(connection, shards)

    async def _add(self, connection: Connection, counted: Counted, shards: Sequence[int]) -> AppendOutcome:
        if self._rollups is None:
            self._rollups = await keeps_rollups(connection)
        async with connection.pipeline():
            outcome = await counted.add(connection, rollups=self._rollups)
            if shards:
                await connection.execute(query("sign_heads"), {"shards": shards, "writer": self._writer})
        return outcome

    async def _count_ahead(self, batch: _Batch) -> "_Ahead | None":
        """Counts a batch while another is being written; None where that is not so, or it cannot be done."""
        trusted = self._remembered_since == self._failures and self._open.book is not None
        if not trusted or not self._writing.locked() or self._wary or self._pool.max_size < CONNECTIONS_AHEAD:
            return None
        failures = self._failures
        try:
            connection = await self._pool.getconn()
        except OperationalError:
            return None
        try:
            # Every question by itself: who waits for the other batch must not hold locks meanwhile.
            await connection.set_autocommit(True)
            counted = await self._count(connection, batch)
            await self._worker(batch)(counted.finish)
        except Exception:  # noqa: BLE001 - whatever it is, it happens again in the batch's turn, and is told then
            self._fail()
            return None
        except BaseException:
            self._fail()
            raise
        finally:
            await self._give_back(connection)
        self.counted_ahead += 1
        return _Ahead(counted, failures)

    async def _give_back(self, connection: Connection) -> None:
        if connection.info.transaction_status == TransactionStatus.IDLE:
            await connection.set_autocommit(False)
        else:
            await connection.close()
        await self._pool.putconn(connection)

    async def _count(self, connection: Connection, batch: _Batch) -> Counted:
        """What a batch comes to."""
        memory, compute = self._open, self._worker(batch)
        if self._remembered_since != self._failures:
            memory.forget()
            self._remembered_since = self._failures
        records, touched = await compute(lambda: self._prepared(batch))
        await memory.restore(connection, touched)
        timed, found = await compute(lambda: _accepted(memory, records, batch.arrived_ns))
        fresh_scopes = await call_scopes.learn(connection, memory.scopes, records)
        await memory.restore_copies(connection, compute)
        settling, corrected = await compute(lambda: _decided(memory))
        if any((node.record.tenant, node.record.trace_id) in self._unwritten for node in corrected):
            async with self._writing:
                pass  # what stands for them is being written; it can be read when that is over
        standing = await append_rows.standing(connection, corrected)
        return Counted(Came(timed, batch.rejected, batch.arrived_ns, found, fresh_scopes), settling, standing)

    def _worker(self, batch: _Batch) -> Compute:
        """Who computes it."""
        return self._compute if len(batch.records) >= COMPUTED_APART_SPANS else in_place

    def _prepared(self, batch: _Batch) -> tuple[Sequence[SpanRecord], set[TraceKey]]:
        """Makes room, and says what to count and which traces that touches."""
        self._open.evict(self._unwritten)
        records = self._open.erased.replaced_in(batch.records)
        return records, {(record.tenant, record.trace_id) for record in records}


def _accepted(
    memory: OpenTraces, records: Sequence[SpanRecord], arrived_ns: int
) -> tuple[list[tuple[SpanRecord, int]], Arrivals]:
    timed = [(record, event_time_ns(record.start_ns, record.end_ns, arrived_ns)) for record in records]
    return timed, memory.counter.accept(timed)


def _decided(memory: OpenTraces) -> tuple[Settling, list[Node]]:
    settling = Settling(memory.counter.decide(), memory.book)
    return settling, settling.corrected()


class _Ahead(NamedTuple):
    """A batch counted before its turn, and how many failures there had been."""

    counted: Counted
    failures: int

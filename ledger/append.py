"""Takes spans in and writes what they cost, all in one transaction: count, price, entries, rollups, windows.

Whoever appends for a tenant holds the row of its shard in ``append_heads`` until the commit. So appends of one tenant
come one after the other, in whatever replica they arise, and nothing can deadlock. What a collector remembers of open
traces is used only while that row says that nobody else has appended since (``docs/adr/0003``).
"""

from collections.abc import Iterable, Sequence
from threading import Thread
from typing import NamedTuple, Protocol
from uuid import UUID
from zlib import crc32

from psycopg import InterfaceError, InternalError, OperationalError
from psycopg.errors import DeadlockDetected, UniqueViolation

from finops.call_scopes import CallScopes
from finops.counting import CallCounter, Search, StoredSpan, TraceKey
from finops.erasure import ErasedIdentifiers
from finops.event_time import event_time_ns
from finops.price_book import PriceBook
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord
from finops.trace_node import Node
from finops.verdicts import Decision
from ledger import append_rows, arrivals, call_scopes, copy_rows, mapping
from ledger.engine import keeps_rollups
from ledger.erased import erased_identifiers
from ledger.pool import Connection, Pool
from ledger.settling import Settling
from sql import query

SHARDS = 64
"""Rows of append_heads."""


class Rates(Protocol):
    """Where the price book comes from."""

    async def load_book(self, connection: Connection) -> PriceBook:
        """The rates that hold now."""


class Limits(NamedTuple):
    """How much of open traces is remembered."""

    remembered_spans: int = 20_000


class Ledger:
    """Appends for one process. One append at a time; the caller's writer sees to that."""

    def __init__(self, pool: Pool, rates: Rates, *, writer: UUID, limits: Limits) -> None:
        self._pool = pool
        self._rates = rates
        self._writer = writer
        self._limits = limits
        self._rollups: bool | None = None
        self._counter = CallCounter()
        self._scopes = CallScopes()
        self._book: PriceBook | None = None
        self._erased = ErasedIdentifiers()

    @property
    def remembered_spans(self) -> int:
        """Spans held in memory."""
        return len(self._counter)

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """Commits a batch and says what became of it. Raises ``LedgerUnavailable`` with nothing kept."""
        try:
            return await self._attempt(batch, rejected, arrived_ns)
        except (UniqueViolation, LedgerUnavailable) as fault:
            # A deadlock is with the server's own work on old chunks, which is over when it was broken.
            if isinstance(fault, LedgerUnavailable) and not isinstance(fault.__cause__, DeadlockDetected):
                raise
            return await self._attempt(batch, rejected, arrived_ns)

    def _forget(self) -> None:
        """After a failed append what is remembered may not be what is stored."""
        # In a thread, because it takes as long as there is much, and somebody may be waiting for an answer.
        Thread(target=self._counter.dissolve, name="forget", daemon=True).start()
        self._counter = CallCounter()
        self._scopes = CallScopes()
        self._rollups = None

    async def _attempt(
        self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int
    ) -> AppendOutcome:
        try:
            async with self._pool.connection() as connection, connection.transaction():
                outcome = await self._append(connection, batch, rejected, arrived_ns)
        except (OperationalError, InterfaceError, InternalError) as error:
            self._forget()
            # Without its traceback, which holds the batch: the pool's errors are held by the pool's own frames.
            raise LedgerUnavailable(type(error).__name__) from error.with_traceback(None)
        except BaseException:
            self._forget()
            raise
        self._evict()
        return outcome

    async def _append(
        self, connection: Connection, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int
    ) -> AppendOutcome:
        shards = await self._lock(connection, {record.tenant for record in batch})
        batch = self._erased.replaced_in(batch)
        await self._restore(connection, _trace_keys(batch))
        timed = [(r, event_time_ns(r.start_ns, r.end_ns, arrived_ns)) for r in batch]
        came = self._counter.accept(timed)
        await call_scopes.learn(connection, self._scopes, batch)
        await self._restore_copies(connection)
        settling = await self._settle(connection, self._counter.decide(), came.replaced, arrived_ns)
        outcome = arrivals.outcome_of(batch, rejected, came.fresh, came.redelivered, came.conflicts)
        counts = arrivals.counts_of(timed, rejected, came.fresh, outcome, settling.naive_cost)
        if self._rollups is None:
            self._rollups = await keeps_rollups(connection)
        # One after the other without waiting for answers in between.
        async with connection.pipeline():
            await append_rows.add_sums(connection, [line.entry for line in settling.entries], rollups=self._rollups)
            await arrivals.write_intake(connection, counts, rejected, arrived_ns)
            if shards:
                await connection.execute(query("sign_heads"), {"shards": shards, "writer": self._writer})
        return outcome

    async def _lock(self, connection: Connection, tenants: Iterable[str]) -> list[int]:
        """Takes the heads, forgets what others have appended to, and makes sure of the newest rates and erasures."""
        shards = sorted({shard_of(tenant) for tenant in tenants})
        if not shards:
            return shards
        rows = await (await connection.execute(query("lock_heads"), {"shards": shards})).fetchall()
        foreign = {int(str(row[0])) for row in rows if row[1] != self._writer}
        if foreign:
            for tenant in self._scopes.tenants():
                if shard_of(tenant) in foreign:
                    self._scopes.forget(tenant)
            for key in self._counter.held():
                if shard_of(key[0]) in foreign:
                    self._counter.forget(key)
        if self._book is None or self._book.epoch != rows[0][2]:
            self._book = await self._rates.load_book(connection)
        if rows[0][3] != self._erased.epoch:
            self._erased = await erased_identifiers(connection)
        return shards

    async def _restore(self, connection: Connection, keys: Iterable[TraceKey]) -> bool:
        """Reads traces that are not in memory; False where all are."""
        wanted = sorted(key for key in keys if not self._counter.holds(key))
        if not wanted:
            return False
        found: dict[TraceKey, list[StoredSpan]] = {key: [] for key in wanted}
        parameters = {"tenants": [key[0] for key in wanted], "traces": [key[1] for key in wanted]}
        async for row in await connection.execute(query("restore_traces"), parameters, binary=True):
            key, span = mapping.stored_span_from(row)
            found[key].append(span)
        for key, spans in found.items():
            self._counter.restore(key, spans)
        return True

    async def _restore_copies(self, connection: Connection) -> None:
        """Brings in the traces that may hold copies of the touched calls, and copies of those."""
        done = Search.nothing()
        while any(search := self._counter.search(done, self._scopes)):
            if not await self._restore(connection, await append_rows.traces_with_copies(connection, search)):
                return

    async def _settle(
        self, connection: Connection, decisions: Sequence[Decision], replaced: Sequence[Node], arrived_ns: int
    ) -> Settling:
        """Writes what decisions come to. The server takes in rows while the next ones are made."""
        settling = Settling(decisions, self._book)
        standing = await append_rows.standing(connection, settling.corrected())
        pieces = map(copy_rows.entries, settling.settle(standing))
        await append_rows.copy_pieces(connection, "copy_entries", pieces)
        settling.keep(replaced)
        await append_rows.write_spans(connection, settling.changed, replaced, settling.kept, arrived_ns)
        return settling

    def _evict(self) -> None:
        """Forgets the traces longest unused, down to the limit."""
        held = len(self._counter)
        if held <= self._limits.remembered_spans:
            return
        for key in self._counter.held():
            self._counter.forget(key)
            if len(self._counter) <= self._limits.remembered_spans * 3 // 4:
                return


def shard_of(tenant: str) -> int:
    """The row of append_heads that orders a tenant's appends."""
    return crc32(tenant.encode()) % SHARDS


def _trace_keys(batch: Iterable[SpanRecord]) -> set[TraceKey]:
    return {(record.tenant, record.trace_id) for record in batch}

"""What a collector remembers of open traces, and how it gets what it does not: its side of the heads' bargain.

All of it holds only while the heads say that nobody else has appended since (``docs/adr/0003``). What is known of rates
and of erasures belongs to it, because what was counted by them is remembered, too.
"""

from collections.abc import Collection, Iterable, Sequence
from threading import Thread
from typing import Protocol
from uuid import UUID
from zlib import crc32

from finops.call_scopes import CallScopes
from finops.counting import CallCounter, Search, StoredSpan, TraceKey
from finops.erasure import ErasedIdentifiers
from finops.price_book import PriceBook
from ledger import append_rows, mapping
from ledger.erased import erased_identifiers
from ledger.pool import Connection
from ledger.work import Compute
from sql import query

SHARDS = 64
"""Rows of append_heads."""


class Rates(Protocol):
    """Where the price book comes from."""

    async def load_book(self, connection: Connection) -> PriceBook:
        """The rates that hold now."""


class OpenTraces:
    """The memory of one process. Not safe for two at once."""

    def __init__(self, rates: Rates, writer: UUID, spans_max: int) -> None:
        self._rates = rates
        self._writer = writer
        self._spans_max = spans_max
        self.counter = CallCounter()
        self.scopes = CallScopes()
        self.book: PriceBook | None = None
        self.erased = ErasedIdentifiers()

    def forget(self) -> None:
        """After a failed append what is remembered may not be what is stored."""
        # In a thread, because it takes as long as there is much, and somebody may be waiting for an answer.
        Thread(target=self.counter.dissolve, name="forget", daemon=True).start()
        self.counter = CallCounter()
        self.scopes = CallScopes()

    async def lock(self, connection: Connection, shards: Sequence[int]) -> bool:
        """Takes the heads, forgets what others have appended to, and makes sure of the newest rates and erasures.

        False where any of that was needed: then nothing that was counted before holds.
        """
        if not shards:
            return True
        rows = await (await connection.execute(query("lock_heads"), {"shards": shards})).fetchall()
        foreign = {int(str(row[0])) for row in rows if row[1] != self._writer}
        for tenant in self.scopes.tenants() if foreign else ():
            if shard_of(tenant) in foreign:
                self.scopes.forget(tenant)
        for key in self.counter.held() if foreign else ():
            if shard_of(key[0]) in foreign:
                self.counter.forget(key)
        book_holds = self.book is not None and self.book.epoch == rows[0][2]
        if not book_holds:
            self.book = await self._rates.load_book(connection)
        erased_holds = rows[0][3] == self.erased.epoch
        if not erased_holds:
            self.erased = await erased_identifiers(connection)
        return not foreign and book_holds and erased_holds

    async def restore(self, connection: Connection, keys: Iterable[TraceKey]) -> bool:
        """Reads traces that are not in memory; False where all are."""
        wanted = sorted(key for key in keys if not self.counter.holds(key))
        if not wanted:
            return False
        found: dict[TraceKey, list[StoredSpan]] = {key: [] for key in wanted}
        parameters = {"tenants": [key[0] for key in wanted], "traces": [key[1] for key in wanted]}
        async for row in await connection.execute(query("restore_traces"), parameters, binary=True):
            key, span = mapping.stored_span_from(row)
            found[key].append(span)
        for key, spans in found.items():
            self.counter.restore(key, spans)
        return True

    async def restore_copies(self, connection: Connection, compute: Compute) -> None:
        """Brings in the traces that may hold copies of the touched calls, and copies of those."""
        done = Search.nothing()
        while any(search := await compute(lambda: self.counter.search(done, self.scopes))):
            if not await self.restore(connection, await append_rows.traces_with_copies(connection, search)):
                return

    def evict(self, kept: Collection[TraceKey] = ()) -> None:
        """Forgets the traces longest unused, down to the limit, but for those that are to be ``kept``."""
        if len(self.counter) <= self._spans_max:
            return
        for key in self.counter.held():
            if key not in kept:
                self.counter.forget(key)
            if len(self.counter) <= self._spans_max * 3 // 4:
                return


def shard_of(tenant: str) -> int:
    """The row of append_heads that orders a tenant's appends."""
    return crc32(tenant.encode()) % SHARDS

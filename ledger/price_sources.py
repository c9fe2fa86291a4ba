"""The rates a repricing uses: those that hold now, those known then, those of a version, those given, those billed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from finops.entries import Entry, facts_of_entry
from finops.price_book import PriceBook
from finops.pricing import price
from finops.rate_versions import unix_ns
from finops.rates import OperatorRate, RatePut
from finops.reprice import billed_first, repriced
from finops.reprice_requests import AS_BILLED, AS_KNOWN_THEN, CURRENT, RATE_VERSION, PriceSource
from ledger import mapping
from ledger.pool import Connection
from ledger.rates import RateStore
from sql import query


class Prices(Protocol):
    """Prices standing entries again, page by page in order of time."""

    async def page(self, connection: Connection, entries: Sequence[Entry], mark: str) -> list[Entry]:
        """What should stand, entry by entry; the same object where nothing changes."""


async def prices_of(connection: Connection, store: RateStore, source: PriceSource, now: datetime) -> Prices:
    """The prices of a source."""
    if source.kind == CURRENT:
        return CurrentPrices(store)
    if source.kind == AS_BILLED:
        return BilledPrices()
    if source.kind == AS_KNOWN_THEN:
        return KnownPrices(await store.book_at(connection, 0), await store.versions(connection))
    if source.kind == RATE_VERSION:
        return FixedPrices(await store.book_at(connection, source.rate_version))
    book = await store.load_book(connection)
    return FixedPrices(book.with_rates(_given(source.rates, book.epoch, now), book.epoch))


def _given(rates: Sequence[RatePut], epoch: int, now: datetime) -> list[OperatorRate]:
    """Rates nobody has stored, as if they had just been put."""
    return [
        OperatorRate(
            version=epoch + number,
            org_id=rate.org_id,
            provider=rate.provider,
            model_id=rate.model_id,
            ended=False,
            stated=rate.stated,
            dated=rate.effective_from is not None,
            effective_from=rate.effective_from or now,
            created_at=now,
        )
        for number, rate in enumerate(rates, 1)
    ]


class FixedPrices:
    """One book for all."""

    def __init__(self, book: PriceBook) -> None:
        self._book = book

    async def page(self, connection: Connection, entries: Sequence[Entry], mark: str) -> list[Entry]:
        """By the book."""
        return [repriced(entry, price(facts_of_entry(entry), self._book), mark) for entry in entries]


class CurrentPrices:
    """The rates that hold when a page is read, as an append would use them."""

    def __init__(self, store: RateStore) -> None:
        self._store = store

    async def page(self, connection: Connection, entries: Sequence[Entry], mark: str) -> list[Entry]:
        """By the newest book."""
        return await FixedPrices(await self._store.load_book(connection)).page(connection, entries, mark)


class KnownPrices:
    """For every call the rates that had been put by the time of the call. Entries must come in order of time."""

    def __init__(self, book: PriceBook, versions: Sequence[OperatorRate]) -> None:
        self._book = book
        self._later = sorted(versions, key=lambda rate: rate.version, reverse=True)

    async def page(self, connection: Connection, entries: Sequence[Entry], mark: str) -> list[Entry]:
        """Moves on through the versions as the entries do."""
        return [repriced(entry, price(facts_of_entry(entry), self._at(entry.event_ns)), mark) for entry in entries]

    def _at(self, instant_ns: int) -> PriceBook:
        newer: list[OperatorRate] = []
        while self._later and unix_ns(self._later[-1].created_at) <= instant_ns:
            newer.append(self._later.pop())
        if newer:
            self._book = self._book.with_rates(newer, newer[-1].version)
        return self._book


class BilledPrices:
    """For every call the price it was billed at first, before any repricing."""

    async def page(self, connection: Connection, entries: Sequence[Entry], mark: str) -> list[Entry]:
        """From the entries themselves: they are never removed."""
        if not entries:
            return []
        values = {
            "times": [mapping.time_of(entry.event_ns) for entry in entries],
            "tenants": [entry.tenant for entry in entries],
            "traces": [entry.trace_id for entry in entries],
            "spans": [entry.span_id for entry in entries],
        }
        rows = await (await connection.execute(query("reprice_first_entries"), values, binary=True)).fetchall()
        first = {_identity(entry): entry for entry in map(mapping.entry_from, rows)}
        return [billed_first(entry, first.get(_identity(entry)), mark) for entry in entries]


def _identity(entry: Entry) -> tuple[int, str, bytes, bytes]:
    return entry.event_ns, entry.tenant, entry.trace_id, entry.span_id

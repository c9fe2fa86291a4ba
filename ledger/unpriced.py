"""Gives calls without a price the one that a new rate makes, by corrections like any other repricing."""

from collections.abc import Sequence
from typing import NamedTuple

from finops.entries import Entry, facts_of_entry
from finops.reprice import changed_pairs, priceable
from ledger import corrections, mapping
from ledger.corrections import Place
from ledger.pool import Connection, Pool
from ledger.price_sources import CurrentPrices
from ledger.rates import RateStore
from ledger.reading import reaching
from ledger.tenants import speaking_for
from sql import query

KINDS_PAGE = 500
"""Kinds of unpriced calls compared with the price book at a time."""
COUNTED_MAX = 1_000_000
"""Waiting calls are counted up to here."""
MARK = "rateAppeared"
_FIRST_KIND = b""


class Swept(NamedTuple):
    """What became of the unpriced calls that some rate covers."""

    repriced: int = 0
    """Calls that have a price now."""
    pending: int = 0
    """Calls of kinds that have a rate, not looked at yet."""


class UnpricedCalls:
    """Prices unpriced calls over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time.

    Any number may work at once: whoever is second finds nothing left to do.
    """

    def __init__(self, pool: Pool, store: RateStore) -> None:
        self._pool = pool
        self._store = store

    async def price(self, calls_max: int | None = None, org_id: str | None = None) -> Swept:
        """Looks at ``calls_max`` unpriced calls at most, None: all, of one organisation or of all, and prices them."""
        # Kinds of calls are walked over whole, whoever asks for it; which of them are priced is said by ``org_id``.
        with speaking_for(None):
            return await self._price(calls_max, org_id)

    async def _price(self, calls_max: int | None, org_id: str | None) -> Swept:
        async with reaching(self._pool) as connection:
            await connection.execute(query("reprice_wait_for_appends"))
        left = COUNTED_MAX if calls_max is None else calls_max
        repriced, after, waiting = 0, _FIRST_KIND, list[bytes]()
        while kinds := await self._kinds(after):
            after = kinds[-1][0]
            for kind in await self._priceable(kinds, org_id):
                if left <= 0 and calls_max is not None:
                    waiting.append(kind)
                    continue
                looked, changed, done = await self._price_kind(kind, None if calls_max is None else left)
                repriced, left = repriced + changed, left - looked
                if not done:
                    waiting.append(kind)
        return Swept(repriced, await self._count(waiting))

    async def _kinds(self, after: bytes) -> list[tuple[bytes, Entry]]:
        async with reaching(self._pool) as connection:
            values = {"after": after, "limit": KINDS_PAGE}
            rows = await (await connection.execute(query("reprice_unpriced_kinds"), values, binary=True)).fetchall()
        return [(bytes(row[0]), mapping.entry_from(row[1:])) for row in rows]  # type: ignore[call-overload]

    async def _priceable(self, kinds: Sequence[tuple[bytes, Entry]], org_id: str | None) -> list[bytes]:
        async with reaching(self._pool) as connection:
            book = await self._store.load_book(connection)
        own = [(kind, entry) for kind, entry in kinds if org_id in (None, entry.belongings.org_id)]
        return [kind for kind, entry in own if priceable(facts_of_entry(entry), book)]

    async def _price_kind(self, kind: bytes, calls_max: int | None) -> tuple[int, int, bool]:
        """(calls looked at, calls priced, whether none is left)."""
        place, held = Place(mapping.ns_of(mapping.EPOCH)), frozenset[int]()
        looked = changed = 0
        while calls_max is None or looked < calls_max:
            async with reaching(self._pool) as connection, connection.transaction():
                page, pairs = await self._correct(connection, kind, place, held)
            looked, changed = looked + len(page.entries), changed + len(pairs)
            if page.last:
                return looked, changed, True
            held = page.shards
            place = corrections.place_of(page.entries[-1]) if page.entries else place
        return looked, changed, False

    async def _correct(
        self, connection: Connection, kind: bytes, place: Place, held: frozenset[int]
    ) -> tuple[corrections.Page, list[tuple[Entry, Entry]]]:
        await corrections.hold(connection, held)
        values = place.values() | {"kind": kind}
        page = await corrections.read_page(connection, "reprice_unpriced_page", values, held)
        after = await CurrentPrices(self._store).page(connection, page.entries, MARK)
        pairs = changed_pairs(page.entries, after)
        await corrections.correct(connection, pairs, held)
        return page, pairs

    async def _count(self, kinds: Sequence[bytes]) -> int:
        if not kinds:
            return 0
        async with reaching(self._pool) as connection:
            values = {"kinds": list(kinds), "limit": COUNTED_MAX}
            row = await (await connection.execute(query("reprice_count_unpriced"), values)).fetchone()
        assert row is not None
        return int(str(row[0]))

"""Operator rates for whoever holds a pool and no connection: put, listed, and compared with the catalogue."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from finops.price_book import implausible
from finops.rate_listing import ListedRate, RateFilters
from finops.rates import OperatorRate, RatePut
from ledger.conditions import always
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reading import reaching
from ledger.tenants import walled_org


class Ending(Protocol):
    """Which rate ends, on whose word."""

    @property
    def model_id(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def org_id(self) -> str: ...
    @property
    def author(self) -> str: ...
    @property
    def reason(self) -> str: ...


class OperatorRates:
    """A ``RateStore`` over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool, store: RateStore) -> None:
        self._pool = pool
        self._store = store

    async def effective(self, filters: RateFilters, now: datetime) -> list[ListedRate]:
        """The rates that hold now. The price book is made of everybody's, so the wall is here."""
        org_id = walled_org()
        if org_id is not None:
            filters = replace(filters, orgs=(org_id,))
        async with reaching(self._pool) as connection:
            return await self._store.effective(connection, filters, now)

    async def slips(self, put: RatePut, now: datetime) -> dict[str, str]:
        """Which fields of ``put`` look like slips beside the catalogue, and why."""
        async with reaching(self._pool) as connection:
            return implausible(put, await self._store.load_book(connection), now)

    async def put(
        self, put: RatePut, now: datetime, holds: Callable[[OperatorRate | None], None] = always
    ) -> OperatorRate:
        """Stores a new version; committed when this returns, so that every later append prices with it."""
        async with reaching(self._pool) as connection:
            return await self._store.put(connection, put, now, holds)

    async def end(
        self, ending: Ending, now: datetime, holds: Callable[[OperatorRate | None], None] = always
    ) -> OperatorRate | None:
        """Ends a rate for calls from now on; None where none is stated."""
        async with reaching(self._pool) as connection:
            return await self._store.end(
                connection,
                now,
                model_id=ending.model_id,
                provider=ending.provider,
                org_id=ending.org_id,
                author=ending.author,
                reason=ending.reason,
                holds=holds,
            )

    async def history(self, filters: RateFilters, *, limit: int, before: int | None) -> list[OperatorRate]:
        """Versions, the newest first."""
        async with reaching(self._pool) as connection:
            return await self._store.history(connection, filters, limit=limit, before=before)

    async def deployments(self) -> dict[tuple[str, str], str]:
        """Models behind names of an operator's own, by (provider, name)."""
        async with reaching(self._pool) as connection:
            return await self._store.deployments(connection)

    async def put_deployment(
        self,
        provider: str,
        deployment: str,
        model_id: str,
        author: str,
        now: datetime,
        holds: Callable[[str | None], None] = always,
    ) -> None:
        """Says which model runs under a name."""
        async with reaching(self._pool) as connection:
            named = {"provider": provider, "deployment": deployment, "model_id": model_id, "author": author}
            await self._store.put_deployment(connection, now, **named, holds=holds)

    async def delete_deployment(
        self,
        provider: str,
        deployment: str,
        author: str,
        now: datetime,
        holds: Callable[[str | None], None] = always,
    ) -> bool:
        """Forgets a name; False where nobody stated it."""
        async with reaching(self._pool) as connection:
            named = {"provider": provider, "deployment": deployment, "author": author}
            return await self._store.delete_deployment(connection, now, **named, holds=holds) is not None

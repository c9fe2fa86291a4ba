"""Operator rates in the database: versions kept for ever, and the price book they make with the catalogue.

A change takes the lock on ``rate_epoch``, so changes have one order and a version is the epoch it made. It commits
together with a notification, which only saves time: an append finds a stale book by comparing epochs.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime

from psycopg import OperationalError

from finops.audit import DEPLOYMENT_DELETED, DEPLOYMENT_PUT
from finops.model_catalogue import Catalogue
from finops.model_names import clean_name, model_name, stated_provider
from finops.price_book import PriceBook
from finops.rate_files import unstated
from finops.rate_listing import ListedRate, RateFilters, listed_rates
from finops.rate_versions import unix_ns
from finops.rates import OPERATOR, OperatorRate, RatePut, StatedRates
from finops.usage import TokenUsage
from ledger import audit
from ledger.catalogue import bundled_catalogue
from ledger.conditions import always
from ledger.pool import Connection
from ledger.rate_audit import audit_rate, version_before
from ledger.rate_rows import KINDS, number, operator_rate, text_tokens
from sql import query

CHANNEL = "finops_rates"
HISTORY_LIMIT_MAX = 1000
"""Versions in one page of history."""
IN_USE_LIMIT = 50_000
"""Models of the ledger looked at for ``inUse``."""
RECONNECT_SECONDS = 1.0

_AFTER_ALL = 2**63 - 1


class RateStore:
    """Puts, ends and lists operator rates, and keeps the newest price book. One for a process.

    Making one compiles the catalogue, a few tenths of a second the first time. Every method takes the connection it
    works on. ``put``, ``end`` and ``put_deployment`` commit where the connection has no transaction open and join the
    open one otherwise. Never load a book inside a transaction that changed rates.
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        self._newest = PriceBook(catalogue or bundled_catalogue(), epoch=-1)

    async def current_epoch(self, connection: Connection) -> int:
        """The epoch of the newest committed change."""
        row = await (await connection.execute(query("rate_epoch"))).fetchone()
        assert row is not None
        return number(row[0])

    async def load_book(self, connection: Connection) -> PriceBook:
        """The book of the newest committed rates; asks only for what is newer than the last one."""
        book = self._newest
        epoch, newer = await _rates_after(connection, book.epoch)
        if epoch < book.epoch:
            book = PriceBook(book.catalogue, epoch=-1)
            epoch, newer = await _rates_after(connection, -1)
        if epoch != book.epoch:
            book = book.with_rates(newer, epoch, await self.deployments(connection))
        self._newest = book
        return book

    async def book_at(self, connection: Connection, version: int) -> PriceBook:
        """The book as it was after ``version``, 0 before the first; deployments are those of today."""
        versions = [rate for rate in await self.versions(connection) if rate.version <= version]
        deployments = await self.deployments(connection)
        return PriceBook(self._newest.catalogue, epoch=version, operator_rates=versions, deployments=deployments)

    async def versions(self, connection: Connection) -> list[OperatorRate]:
        """Every version of every rate, the oldest first."""
        return (await _rates_after(connection, -1))[1]

    async def deployments(self, connection: Connection) -> dict[tuple[str, str], str]:
        """The models that run under names of an operator's own, by (provider, deployment)."""
        rows = await (await connection.execute(query("deployments"))).fetchall()
        return {(str(provider), str(name)): str(model) for provider, name, model in rows}

    async def put(
        self,
        connection: Connection,
        rate: RatePut,
        now: datetime,
        holds: Callable[[OperatorRate | None], None] = always,
    ) -> OperatorRate:
        """Stores a new version and returns it; calls that arrive after the commit are priced with it.

        ``holds`` is asked of the version it replaces.
        """
        values = _values(rate.org_id, rate.provider, rate.model_id, rate.author, rate.reason, now)
        values |= {kind: getattr(rate.stated, kind) for kind in KINDS}
        values |= {"dated": rate.effective_from is not None, "effective_from": rate.effective_from or now}
        return await _stored(connection, values | {"source": rate.source}, holds)

    async def put_all(self, connection: Connection, rates: Sequence[RatePut], now: datetime) -> list[OperatorRate]:
        """Stores what differs from what holds now, all or nothing; returns the versions made."""
        book = await self.load_book(connection)
        async with connection.transaction():
            return [await self.put(connection, rate, now) for rate in unstated(book, rates, now)]

    async def end(
        self,
        connection: Connection,
        now: datetime,
        *,
        model_id: str,
        provider: str = "",
        org_id: str = "",
        author: str = "",
        reason: str = "",
        holds: Callable[[OperatorRate | None], None] = always,
    ) -> OperatorRate | None:
        """Ends the rate for calls from now on, scheduled versions included; None where no rate was stated."""
        book = await self.load_book(connection)
        if not book.states(org_id, stated_provider(provider), model_id):
            holds(None)
            return None
        values = _values(org_id, provider, model_id, author, reason, now)
        return await _stored(connection, values | {"ended": True, "dated": True}, holds)

    async def history(
        self,
        connection: Connection,
        filters: RateFilters,
        *,
        limit: int = 100,
        before: int | None = None,
    ) -> list[OperatorRate]:
        """Versions, the newest first; ``before`` is the last version of the page before."""
        values = {
            "models": [model.lower() for model in filters.models] or None,
            "providers": list(filters.providers) or None,
            "orgs": list(filters.orgs) or None,
            "before": _AFTER_ALL if before is None else before,
            "limit": min(limit, HISTORY_LIMIT_MAX),
        }
        rows = await (await connection.execute(query("rate_history"), values)).fetchall()
        return [operator_rate(row) for row in rows]

    async def effective(self, connection: Connection, filters: RateFilters, now: datetime) -> list[ListedRate]:
        """The rates that hold now: the operator's first, then the catalogue's, each by provider and model."""
        book = await self.load_book(connection)
        used: list[tuple[str, str, str]] | None = None
        if filters.in_use:
            rows = await (await connection.execute(query("rates_in_use"), {"limit": IN_USE_LIMIT})).fetchall()
            named = [(str(org), str(provider), str(model)) for org, provider, model in rows]
            used = [name for name in named if not filters.orgs or name[0] in filters.orgs]
        return listed_rates(book, filters, now, used)

    async def operator_rates(self, connection: Connection, now: datetime) -> list[OperatorRate]:
        """The operator's own rates that hold now, by provider and model."""
        book = await self.load_book(connection)
        own = [rate for rate in book.operator_rates_at(unix_ns(now)) if rate.source == OPERATOR]
        return sorted(own, key=lambda rate: (rate.provider, rate.model_id, rate.org_id))

    async def tokens_in_use(self, connection: Connection) -> dict[tuple[str, str], TokenUsage]:
        """The text tokens the ledger holds of each (provider, model): sums, far above what one call may have."""
        rows = await (await connection.execute(query("tokens_in_use"), {"limit": IN_USE_LIMIT})).fetchall()
        return {(str(row[0]), str(row[1])): text_tokens(row[2:]) for row in rows}

    async def put_deployment(
        self,
        connection: Connection,
        now: datetime,
        *,
        provider: str,
        deployment: str,
        model_id: str,
        author: str = "",
        holds: Callable[[str | None], None] = always,
    ) -> int:
        """Says which model runs under an operator's own name; returns the new epoch. ``provider`` '' is every one."""
        values = {
            "provider": stated_provider(provider),
            "deployment": model_name(deployment).key,
            "model_id": model_id,
            "now": now,
            "author": author,
        }
        return await _changed_deployment(connection, "put_deployment", values, DEPLOYMENT_PUT, holds)

    async def delete_deployment(
        self,
        connection: Connection,
        now: datetime,
        *,
        provider: str,
        deployment: str,
        author: str = "",
        holds: Callable[[str | None], None] = always,
    ) -> int | None:
        """Forgets a deployment; the new epoch, or None where there was none."""
        key = (stated_provider(provider), model_name(deployment).key)
        if key not in await self.deployments(connection):
            holds(None)
            return None
        values = {"provider": key[0], "deployment": key[1], "now": now, "author": author}
        return await _changed_deployment(connection, "delete_deployment", values, DEPLOYMENT_DELETED, holds)

    async def listen(
        self, connect: Callable[[], Awaitable[Connection]], *, retry_seconds: float = RECONNECT_SECONDS
    ) -> AsyncIterator[int]:
        """The epoch at once and after every change, for ever; reconnects, and then yields what it may have missed.

        ``connect`` gives a connection of the listener's own, in autocommit; it is closed here.
        """
        while True:
            try:
                connection = await connect()
                async with connection:
                    await connection.execute(f"listen {CHANNEL}")
                    yield await self.current_epoch(connection)
                    async for notice in connection.notifies():
                        yield int(notice.payload)
            except OperationalError:
                await asyncio.sleep(retry_seconds)


async def _rates_after(connection: Connection, version: int) -> tuple[int, list[OperatorRate]]:
    rows = await (await connection.execute(query("rates_after"), {"after": version})).fetchall()
    return number(rows[0][0]), [operator_rate(row[1:]) for row in rows if row[1] is not None]


def _values(org_id: str, provider: str, model_id: str, author: str, reason: str, now: datetime) -> dict[str, object]:
    return {
        "org_id": org_id,
        "provider": stated_provider(provider),
        "model_id": clean_name(model_id),
        "author": author,
        "reason": reason,
        "source": OPERATOR,
        "created_at": now,
        "effective_from": now,
        "dated": False,
        "ended": False,
        **dict.fromkeys(KINDS),
    }


async def _stored(
    connection: Connection, values: dict[str, object], holds: Callable[[OperatorRate | None], None]
) -> OperatorRate:
    named = {name: values[name] for name in OperatorRate.__dataclass_fields__ if name in values}
    stated = StatedRates(**{kind: values[kind] for kind in KINDS})  # type: ignore[arg-type]
    async with connection.transaction():
        row = await (await connection.execute(query("put_rate"), values)).fetchone()
        assert row is not None
        rate = OperatorRate(version=number(row[0]), stated=stated, **named)  # type: ignore[arg-type]
        before = await version_before(connection, rate)
        holds(before)
        await audit_rate(connection, before, rate)
    return rate


async def _changed_deployment(
    connection: Connection,
    statement: str,
    values: dict[str, object],
    action: str,
    holds: Callable[[str | None], None],
) -> int:
    provider, deployment = str(values["provider"]), str(values["deployment"])
    async with connection.transaction():
        await connection.execute(query("rate_epoch_hold"))
        rows = await (await connection.execute(query("deployments"))).fetchall()
        before = next((str(model) for *key, model in rows if key == [provider, deployment]), None)
        holds(before)
        row = await (await connection.execute(query(statement), values)).fetchone()
        assert row is not None
        after = values.get("model_id")
        await audit.record(
            connection,
            at=values["now"],  # type: ignore[arg-type]
            actor=str(values["author"]),
            action=action,
            subject=f"{provider}/{deployment}" if provider else deployment,
            before=None if before is None else {"modelId": before},
            after=None if after is None else {"modelId": after},
        )
    return number(row[0])

"""Repricing over the ledger: a preview that touches nothing, and runs that append corrections page by page.

A run is a row with a cursor that moves in the transaction of its corrections. Cut off at any moment it goes on where it
was; finished, it has nothing left to do; and the same request again finds every call at its price already.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from finops.audit import REPRICE_FINISHED, REPRICE_STARTED
from finops.money import usd
from finops.reprice import Changes, change, changed_pairs
from finops.reprice_requests import (
    PREVIEW_CALLS_MAX,
    Change,
    PreviewTooLarge,
    RepriceRequest,
    RepriceRun,
    request_from,
)
from ledger import audit, corrections, mapping
from ledger.corrections import EVERY_SHARD, Place
from ledger.pool import Connection, Pool
from ledger.price_sources import Prices, prices_of
from ledger.rates import RateStore
from ledger.reading import reaching
from sql import query

PAGES_AT_ONCE = 20
"""Pages of corrections of one request, about a second each at most; then it is answered how far the run has come."""
RUNS_MAX = 100


class Repricing:
    """Previews and runs over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool, store: RateStore) -> None:
        self._pool = pool
        self._store = store

    async def preview(
        self, request: RepriceRequest, now: datetime, calls_max: int | None = PREVIEW_CALLS_MAX
    ) -> Changes:
        """What applying would change, to the last digit. Raises ``PreviewTooLarge``."""
        changes, looked = Changes(), 0
        place = Place(mapping.ns_of(request.start))
        async with reaching(self._pool) as connection:
            prices = await prices_of(connection, self._store, request.source, now)
        while True:
            async with reaching(self._pool) as connection:
                page = await corrections.read_page(connection, "reprice_page", _values(request, place), EVERY_SHARD)
                after = await prices.page(connection, page.entries, "")
            for old, new in zip(page.entries, after, strict=True):
                changes.add(old, new)
            looked += len(page.entries)
            if page.last:
                return changes
            if calls_max is not None and looked >= calls_max:
                raise PreviewTooLarge(str(calls_max))
            place = corrections.place_of(page.entries[-1])

    async def start(
        self, run_id: UUID, request: RepriceRequest, now: datetime, *, actor: str, reason: str = "", org_id: str = ""
    ) -> None:
        """Remembers a run, with its row in the audit trail; ``advance`` does the work."""
        values = {
            "run_id": run_id,
            "now": now,
            "actor": actor,
            "org_id": org_id,
            "reason": reason,
            "request": audit.json_text(request.document()),
            "cursor_time": request.start,
            "sums": list(Change()),
        }
        async with reaching(self._pool) as connection, connection.transaction():
            await connection.execute(query("reprice_start"), values)
            await audit.record(
                connection,
                at=now,
                actor=actor,
                action=REPRICE_STARTED,
                subject=str(run_id),
                org_id=org_id,
                after=request.document(),
                reason=reason,
            )

    async def advance(self, run_id: UUID, now: datetime, pages: int = PAGES_AT_ONCE) -> RepriceRun | None:
        """Corrects up to ``pages`` pages and says how far the run has come; None: there is no such run."""
        run = await self.run(run_id)
        if run is None or run.finished_at is not None:
            return run
        async with reaching(self._pool) as connection:
            prices = await prices_of(connection, self._store, run.request.source, now)
        held = frozenset[int]()
        for _ in range(pages):
            async with reaching(self._pool) as connection, connection.transaction():
                page = await self._correct_page(connection, run_id, prices, held, now)
            if page is None or page.last:
                break
            held = page.shards
        return await self.run(run_id)

    async def _correct_page(
        self, connection: Connection, run_id: UUID, prices: Prices, held: frozenset[int], now: datetime
    ) -> corrections.Page | None:
        """One page in the open transaction; None where another has finished the run meanwhile."""
        row: Any = await (await connection.execute(query("reprice_hold_run"), {"run_id": run_id})).fetchone()
        run = _run(row[:9])
        if run.finished_at is not None:
            return None
        place = Place(mapping.ns_of(row[8]), str(row[9]), bytes(row[10]), bytes(row[11]))
        await corrections.hold(connection, held)
        page = await corrections.read_page(connection, "reprice_page", _values(run.request, place), held)
        after = await prices.page(connection, page.entries, str(run_id))
        pairs = changed_pairs(page.entries, after)
        await corrections.correct(connection, pairs, held)
        total = run.change
        for old, new in zip(page.entries, after, strict=True):
            total = total.plus(change(old, new))
        place = corrections.place_of(page.entries[-1]) if page.entries else place
        moved = place.values() | {"run_id": run_id, "sums": list(total), "finished_at": now if page.last else None}
        await connection.execute(query("reprice_advance"), moved)
        if page.last:
            await _audit_end(connection, run, total, now)
        return page

    async def run(self, run_id: UUID) -> RepriceRun | None:
        """One run."""
        found = await self._runs(run_id, None, 1)
        return found[0] if found else None

    async def runs(self, orgs: Sequence[str] | None = None) -> list[RepriceRun]:
        """The newest runs first, at most ``RUNS_MAX``."""
        return await self._runs(None, orgs, RUNS_MAX)

    async def _runs(self, run_id: UUID | None, orgs: Sequence[str] | None, limit: int) -> list[RepriceRun]:
        values = {"run_id": run_id, "orgs": None if orgs is None else list(orgs), "limit": limit}
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("reprice_runs"), values)).fetchall()
        return [_run(row) for row in rows]


def _values(request: RepriceRequest, place: Place) -> dict[str, object]:
    scope = {name: None if values is None else list(values) for name, values in request.scope._asdict().items()}
    return place.values() | scope | {"end": request.end}


def _run(row: Sequence[Any]) -> RepriceRun:
    run_id, started_at, finished_at, actor, org_id, reason, request, sums, cursor_time = row
    return RepriceRun(
        run_id=run_id,
        started_at=started_at,
        finished_at=finished_at,
        actor=actor,
        org_id=org_id,
        reason=reason,
        request=request_from(request),
        change=Change(*(int(number) for number in sums)),
        priced_through=cursor_time,
    )


async def _audit_end(connection: Connection, run: RepriceRun, total: Change, now: datetime) -> None:
    before = {"costUsd": usd(total.before_pico), "unpricedCalls": total.unpriced_before}
    after = {"costUsd": usd(total.after_pico), "unpricedCalls": total.unpriced_after, "callsTouched": total.touched}
    await audit.record(
        connection,
        at=now,
        actor=run.actor,
        action=REPRICE_FINISHED,
        subject=str(run.run_id),
        org_id=run.org_id,
        before=before,
        after=after,
        reason=run.reason,
    )

"""Erasures over the ledger: what would be replaced, and runs that replace it step by step.

A run is a row that says how far it has come; it moves in the transaction of what was replaced. Cut off at any moment it
goes on where it was, and whoever asks in between finds every total as it was: some under the identifier, some under its
pseudonym. Collectors are told before the first step, so nothing brings the identifier back behind it.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from finops.audit import ERASURE_STARTED
from finops.erasure import (
    PSEUDONYM_PREFIX,
    Erasure,
    ErasurePreview,
    ErasureRefused,
    ErasureRequest,
    Kind,
    Phase,
    TooManyErasures,
    digest_of,
)
from ledger import audit, corrections
from ledger.corrections import EVERY_SHARD
from ledger.erasing_steps import step
from ledger.open_traces import shard_of
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from ledger.tenants import speaking_for
from sql import query

STEPS_AT_ONCE = 20
"""Steps of one request, about a second each at most; then it is answered how far the run has come."""
ERASURES_OPEN_MAX = 100
REMEMBERED = timedelta(days=402)
"""Longer than spans are accepted."""
_AFTER_ALL = 2**63 - 1


_NAMED_BY_TRACE = "is the id of a trace: nobody named this session, and the trace keeps its id"


class Erasures:
    """Previews and runs over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool, open_max: int = ERASURES_OPEN_MAX) -> None:
        self._pool = pool
        self._open_max = open_max

    async def preview(self, request: ErasureRequest) -> ErasurePreview:
        """What holds the identifier now."""
        async with reaching(self._pool) as connection:
            row: Any = await (await connection.execute(query("erasure_preview"), _named(request))).fetchone()
        entries, calls, cost_pico, first_at, last_at, *others = row
        return ErasurePreview(int(entries), int(calls), int(cost_pico), first_at, last_at, *map(int, others))

    async def start(self, request: ErasureRequest, now: datetime, *, actor: str, reason: str) -> str:
        """Remembers a run, with its row in the audit trail, and returns its id; ``advance`` does the work.

        Of an identifier that is being erased it is that run. Raises ``ErasureRefused`` and ``TooManyErasures``.
        """
        with speaking_for(None):
            async with reaching(self._pool) as connection, connection.transaction():
                await connection.execute("select set_config('lock_timeout', '4s', true)")
                await corrections.hold(connection, EVERY_SHARD)
                return await self._start(connection, request, now, actor, reason)

    async def _start(
        self, connection: Connection, request: ErasureRequest, now: datetime, actor: str, reason: str
    ) -> str:
        if request.kind is Kind.SESSION and await _value(connection, "erasure_is_trace", _named(request)):
            raise ErasureRefused(_NAMED_BY_TRACE)
        if (known := await _value(connection, "erasure_open", _named(request))) is not None:
            return str(known)
        unfinished = await (
            await connection.execute(query("erasures_unfinished"), {"limit": self._open_max})
        ).fetchall()
        if len(unfinished) >= self._open_max:
            raise TooManyErasures(str(self._open_max))
        key: Any = await _value(connection, "erasure_turn", {})
        erasure_id, pseudonym = uuid4(), f"{PSEUDONYM_PREFIX}{uuid4().hex}"
        values = {
            **_named(request),
            "erasure_id": erasure_id,
            "digest": digest_of(bytes(key), *request),
            "pseudonym": pseudonym,
            "now": now,
            "actor": actor,
            "reason": reason,
        }
        await connection.execute(query("erasure_start"), values)
        shards = sorted({shard_of(""), shard_of(request.org_id)})
        await connection.execute(query("sign_heads"), {"shards": shards, "writer": uuid4()})
        told = {"kind": str(request.kind), "pseudonym": pseudonym}
        await audit.record(
            connection,
            at=now,
            actor=actor,
            action=ERASURE_STARTED,
            subject=str(erasure_id),
            org_id=request.org_id,
            after=told,
            reason=reason,
        )
        return str(erasure_id)

    async def advance(self, erasure_id: str, now: Callable[[], datetime], steps: int = STEPS_AT_ONCE) -> None:
        """Does up to so many steps of a run; nothing where there is no such run or it is finished."""
        with speaking_for(None):
            for _ in range(steps):
                async with reaching(self._pool) as connection, connection.transaction():
                    if not await step(connection, UUID(erasure_id), now()):
                        return

    async def one(self, erasure_id: UUID, orgs: Sequence[str] | None = None) -> Erasure | None:
        """One of them; None where there is none of these organisations."""
        found = await self._page(erasure_id, _AFTER_ALL, orgs, 1)
        return found[0] if found else None

    async def page(self, *, limit: int, before: int | None, orgs: Sequence[str] | None) -> list[Erasure]:
        """The newest first; ``before`` is the last ``number`` of the page before."""
        return await self._page(None, _AFTER_ALL if before is None else before, orgs, limit)

    async def unfinished(self, limit: int) -> list[str]:
        """Runs that are not finished, the oldest first."""
        async with reaching(self._pool) as connection:
            rows = await (await connection.execute(query("erasures_unfinished"), {"limit": limit})).fetchall()
        return [str(row[0]) for row in rows]

    async def forget(self, before: datetime) -> None:
        """From now on, identifiers of erasures that ended ``before`` are no longer recognised by anybody."""
        async with reaching(self._pool) as connection:
            await connection.execute(query("erasure_forget"), {"before": before})

    async def _page(
        self, erasure_id: UUID | None, before: int, orgs: Sequence[str] | None, limit: int
    ) -> list[Erasure]:
        asked = {"erasure_id": erasure_id, "before": before, "limit": limit}
        values = {**asked, "orgs": None if orgs is None else list(orgs)}
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("erasure_page"), values)).fetchall()
        return [Erasure(*row)._replace(kind=Kind(row[3]), phase=Phase(row[8])) for row in rows]


class ErasurePass:
    """A pass of the judge: goes on with what was cut off, or is more than one request could do.

    For ``remembered`` after its end, an erased identifier is recognised in spans that were on their way.
    """

    name = "erasures"

    def __init__(
        self, erasures: Erasures, now: Callable[[], datetime], steps: int = 3, remembered: timedelta = REMEMBERED
    ) -> None:
        self._erasures = erasures
        self._now = now
        self._steps = steps
        self._remembered = remembered

    async def run(self, now: datetime) -> None:
        """Some steps of the oldest. Raises ``LedgerUnavailable`` or psycopg's errors; what was done is kept."""
        await self._erasures.forget(now - self._remembered)
        for erasure_id in await self._erasures.unfinished(1):
            await self._erasures.advance(erasure_id, self._now, self._steps)


def _named(request: ErasureRequest) -> Mapping[str, object]:
    return {"org_id": request.org_id, "kind": str(request.kind), "identifier": request.identifier}


async def _value(connection: Connection, name: str, values: Mapping[str, object]) -> object:
    """The only column of the first row; None where there is none."""
    row = await (await connection.execute(query(name), values)).fetchone()
    return None if row is None else row[0]

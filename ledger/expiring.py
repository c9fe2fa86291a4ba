"""Names that have become too old lose themselves, organisation by organisation, slice of time by slice of time.

A slice moves the row of the rule in the transaction of its changes, so whoever is cut off goes on where it was. First
what arrived late for the time that is done, then the time up to the edge: whole UTC days. No figure changes.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

from finops.audit import RETENTION_APPLIED
from finops.counting import TraceKey
from finops.expiry import Expired
from ledger import audit, corrections
from ledger.erasing_spans import rename_in_traces
from ledger.open_traces import shard_of
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

SLICE = timedelta(days=1)
SLICE_SPANS = 2_000
"""Spans of one slice, about: the tenants' collectors wait that long."""
SLOT = timedelta(seconds=10)
LATE_EVERY = timedelta(hours=1)
IN_FLIGHT = timedelta(minutes=10)
"""What arrived so lately may not be committed yet."""
ROUND_SECONDS = 0.5
"""The other passes of the judge wait that long, and one slice more."""
ACTOR = "retention"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Due(NamedTuple):
    """An organisation, and before which instant its names are too old."""

    org_id: str
    edge: datetime

    @property
    def shards(self) -> list[int]:
        """Of the tenants whose spans the organisation's can be."""
        return sorted({shard_of(""), shard_of(self.org_id)})


class RetentionPass:
    """A pass of the judge. ``monotonic`` is seconds."""

    name = "retention"

    def __init__(self, pool: Pool, monotonic: Callable[[], float]) -> None:
        self._pool = pool
        self._monotonic = monotonic

    async def run(self, now: datetime) -> None:
        """Some slices. Raises ``LedgerUnavailable`` or psycopg's errors; what was done is kept."""
        ends = self._monotonic() + ROUND_SECONDS
        while await self.slice(now) and self._monotonic() < ends:
            pass

    async def slice(self, now: datetime) -> bool:
        """One slice of whichever organisation is due; False where none is."""
        async with reaching(self._pool) as connection, connection.transaction():
            values = {"now": now, "since": now - LATE_EVERY}
            row: Any = await (await connection.execute(query("expiry_due"), values)).fetchone()
            if row is None:
                return False
            await _slice(connection, Due(*row), now)
        return True


async def _slice(connection: Connection, due: Due, now: datetime) -> None:
    values = {"org_id": due.org_id, "edge": due.edge, "now": now}
    row: Any = await (await connection.execute(query("expiry_hold"), values)).fetchone()
    if row is None:
        return
    through, looked_at, key = row
    expired = Expired(bytes(key))
    await corrections.hold(connection, due.shards)
    if through is None:
        through = await _first(connection, due)
    elif looked_at < now - LATE_EVERY:
        looked_at = await _late(connection, due, expired, (through, looked_at, now - IN_FLIGHT))
        await _keep(connection, due, through, looked_at, done=False)
        return
    looked_at = now - IN_FLIGHT if looked_at is None else looked_at
    if through < due.edge:
        through = await _next(connection, due, expired, through)
    done = through >= due.edge
    await _keep(connection, due, through, looked_at, done=done)
    if done:
        await _finish(connection, due, now)


async def _keep(connection: Connection, due: Due, through: datetime, looked_at: datetime, *, done: bool) -> None:
    values = {"org_id": due.org_id, "through": through, "looked_at": looked_at, "done": done}
    await connection.execute(query("expiry_advance"), values)


async def _first(connection: Connection, due: Due) -> datetime:
    row: Any = await (await connection.execute(query("expiry_first"))).fetchone()
    return due.edge if row[0] is None else min(_slot(row[0]), due.edge)


async def _next(connection: Connection, due: Due, expired: Expired, starts: datetime) -> datetime:
    """The end of the slice that was done: at most a day, and less where it would be too much."""
    ends = min(starts + SLICE, due.edge)
    values = {"org_id": due.org_id, "starts": starts, "ends": ends, "limit": SLICE_SPANS}
    row: Any = await (await connection.execute(query("expiry_slice"), values)).fetchone()
    if row[0] == SLICE_SPANS:
        ends = min(max(_slot(row[1]), starts + SLOT), ends)
    rows: Any = await (
        await connection.execute(query("expiry_traces"), {**values, "ends": ends}, binary=True)
    ).fetchall()
    await _rename(connection, due, expired, [(str(tenant), bytes(trace)) for tenant, trace in rows], ends)
    await connection.execute(query("expiry_names"), {"org_id": due.org_id, "starts": starts, "ends": ends})
    return ends


async def _late(
    connection: Connection, due: Due, expired: Expired, times: tuple[datetime, datetime, datetime]
) -> datetime:
    """Up to which arrival it has looked."""
    through, since, until = times
    values = {"org_id": due.org_id, "through": through, "since": since, "until": until, "limit": SLICE_SPANS}
    rows: Any = await (await connection.execute(query("expiry_late"), values, binary=True)).fetchall()
    keys = sorted({(str(tenant), bytes(trace)) for tenant, trace, _, _ in rows})
    await _rename(connection, due, expired, keys, through)
    for starts in sorted({_slot(event_time) for _, _, event_time, _ in rows}):
        slot = {"org_id": due.org_id, "starts": starts, "ends": starts + SLOT}
        await connection.execute(query("expiry_names"), slot)
    return until if len(rows) < SLICE_SPANS else rows[-1][3] + timedelta(microseconds=1)


async def _rename(connection: Connection, due: Due, expired: Expired, keys: list[TraceKey], before: datetime) -> None:
    """The heads are signed with a name nobody has, so that collectors forget what they remember of these traces."""
    if keys:
        await rename_in_traces(connection, expired, keys, due.org_id, before)
        await connection.execute(query("sign_heads"), {"shards": due.shards, "writer": uuid4()})


async def _finish(connection: Connection, due: Due, now: datetime) -> None:
    """What goes by whole days, and the row in the audit trail."""
    await connection.execute(query("anomaly_turn"))
    values = {"org_id": due.org_id, "ends": due.edge}
    row: Any = await (await connection.execute(query("expiry_statements"), values)).fetchone()
    told = {"namelessThrough": due.edge.isoformat().replace("+00:00", "Z"), **row[0]}
    await audit.record(
        connection, at=now, actor=ACTOR, action=RETENTION_APPLIED, subject=due.org_id, org_id=due.org_id, after=told
    )


def _slot(instant: datetime) -> datetime:
    return instant - (instant - _EPOCH) % SLOT

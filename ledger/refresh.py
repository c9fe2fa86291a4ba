"""Brings continuous aggregates up to the entries, in order of time, the lowest level first.

Two things make a range dirty: time moves on (the frontier advances, and reports sum those entries when they read), or
entries came late (below the frontier, and reports miss them until the range is refreshed). Late ranges are written by a
trigger in the transaction that adds the entries. Before the frontier moves or ranges are claimed, every append that
has written entries is waited for, so a refresh sees all that its ranges stand for. A range is taken away only when
every level was refreshed: a crash in between refreshes it once more. Who calls this, and when, is left to ``jobs``.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from ledger.blocks import sum_again
from ledger.pool import Connection
from sql import query

QUARTER = timedelta(minutes=15)
DAY = timedelta(days=1)
SETTLE = timedelta(minutes=5)
"""How long after its end a quarter hour is left alone: most of what comes late comes until then."""
APPENDS_WAIT = "2s"
"""How long appends may be waited for; they wait as long, so the refresh gives up first and comes again."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class DirtyRange(NamedTuple):
    """Quarter hours to refresh, and the rows of the queue that asked for them."""

    starts: datetime
    ends: datetime
    ids: tuple[int, ...]


class Progress(NamedTuple):
    """How far entries are materialised, since when they are kept, and whether something late waits."""

    through: datetime | None
    entries_since: datetime | None
    waiting: bool


async def refresh(connection: Connection, now: datetime, settle: timedelta = SETTLE) -> int:
    """Refreshes everything that is dirty at ``now`` and returns how many ranges that were.

    ``connection`` is in autocommit mode and holds the leadership. Raises psycopg's errors; what is not yet refreshed
    stays in the queue then.
    """
    known = await progress(connection)
    through = floor(now - settle, QUARTER)
    if known.waiting or known.through is None or known.through < through:
        known = await _claim(connection, known, through)
    ranges = merged(await _claimed(connection))
    for dirty in ranges:
        await _refresh_range(connection, dirty, known)
    return len(ranges)


async def progress(connection: Connection) -> Progress:
    """What the ledger remembers of former refreshes."""
    row = await (await connection.execute(query("refresh_state"))).fetchone()
    assert row is not None
    return Progress(*row)  # type: ignore[arg-type]


async def _claim(connection: Connection, known: Progress, through: datetime) -> Progress:
    async with connection.transaction():
        await connection.execute("select set_config('lock_timeout', %s, true)", [APPENDS_WAIT])
        await connection.execute(query("refresh_wait_for_appends"))
        await connection.execute(query("refresh_claim"))
        if known.through is not None and known.through >= through:
            return known
        starts = known.through or await _oldest(connection) or through
        await connection.execute(query("refresh_advance"), {"starts": min(starts, through), "ends": through})
    return known._replace(through=through)


async def _oldest(connection: Connection) -> datetime | None:
    row = await (await connection.execute(query("refresh_oldest"))).fetchone()
    if row is None or row[0] is None:
        return None
    assert isinstance(row[0], datetime)
    return floor(row[0], QUARTER)


async def _claimed(connection: Connection) -> list[DirtyRange]:
    rows = await (await connection.execute(query("refresh_claimed"))).fetchall()
    return [DirtyRange(starts, ends, (number,)) for number, starts, ends in rows]  # type: ignore[arg-type]


async def _refresh_range(connection: Connection, dirty: DirtyRange, known: Progress) -> None:
    """One range on every level. What is older than the entries kept is history: its sums are all there is of it."""
    assert known.through is not None
    starts = max(dirty.starts, known.entries_since or dirty.starts)
    for first, end in day_by_day(starts, dirty.ends):
        await connection.execute(query("refresh_usage_15m"), {"starts": first, "ends": end})
    last_day = min(floor(dirty.ends + DAY - QUARTER, DAY), floor(known.through, DAY))
    for first, end in day_by_day(floor(starts, DAY), last_day):
        await connection.execute(query("refresh_usage_1d"), {"starts": first, "ends": end})
    await sum_again(connection, starts, dirty.ends)
    await connection.execute(query("refresh_done"), {"ids": list(dirty.ids)})


def floor(instant: datetime, width: timedelta) -> datetime:
    """The start of the bucket of ``width`` (UTC) that ``instant`` is in."""
    return instant - (instant - _EPOCH) % width


def merged(ranges: Iterable[DirtyRange]) -> list[DirtyRange]:
    """``ranges``, ordered by their starts, as few ranges apart from each other."""
    found: list[DirtyRange] = []
    for dirty in ranges:
        if found and dirty.starts <= found[-1].ends:
            last = found.pop()
            dirty = DirtyRange(last.starts, max(last.ends, dirty.ends), last.ids + dirty.ids)
        found.append(dirty)
    return found


def day_by_day(starts: datetime, ends: datetime) -> Iterable[tuple[datetime, datetime]]:
    """The range in pieces that end with their UTC day: no transaction of a refresh is longer."""
    while starts < ends:
        end = min(floor(starts, DAY) + DAY, ends)
        yield starts, end
        starts = end

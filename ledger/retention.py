"""Lets go of old entries, and never of what they came to.

Sums by quarter hour and by day are kept for good. Entries, the spans they were made of, session slots and refused spans
go together, by whole UTC days: chunks are dropped where entries are a hypertable, rows are deleted in small commits
where they are not. Continuous aggregates are brought to the end of the dropped days before, and never refreshed there
again: ``ledger.refresh`` stops at ``storage_progress.entries_since``, which is moved in the transaction that drops.
"""

from datetime import datetime, timedelta

from ledger.engine import Engine
from ledger.pool import Connection
from ledger.refresh import APPENDS_WAIT, DAY, floor
from sql import query

ROWS_AT_ONCE = 10_000
"""Rows deleted in one commit."""
_LEAN_ON_ENTRIES = (
    "retention_delete_spans",
    "retention_delete_slots",
    "retention_delete_suspense",
    "retention_delete_unpriced",
)


async def retain(connection: Connection, engine: Engine, now: datetime, keep_days: int) -> datetime | None:
    """Removes what is older than ``keep_days`` whole UTC days; returns the instant before which nothing is left.

    None, and nothing removed, where sums still depend on older entries: refresh, and come again. ``connection`` is in
    autocommit mode. Raises psycopg's errors. ``keep_days`` must exceed the days for which spans are accepted.
    """
    edge = floor(now - timedelta(days=keep_days), DAY)
    if engine.keeps_rollups:
        await connection.execute(query("retention_edge"), {"edge": edge})
        await _delete(connection, "retention_delete_entries", edge)
    elif not await _drop_chunks(connection, edge):
        return None
    for statement in _LEAN_ON_ENTRIES:
        await _delete(connection, statement, edge)
    return edge


async def _drop_chunks(connection: Connection, edge: datetime) -> bool:
    async with connection.transaction():
        await connection.execute("select set_config('lock_timeout', %s, true)", [APPENDS_WAIT])
        await connection.execute(query("refresh_wait_for_appends"))
        row = await (await connection.execute(query("retention_depends"), {"edge": edge})).fetchone()
        if row is None or row[0]:
            return False
        await connection.execute(query("retention_edge"), {"edge": edge})
        await connection.execute(query("retention_keep_sums"))
        await connection.execute(query("retention_drop_chunks"), {"edge": edge})
    return True


async def _delete(connection: Connection, statement: str, edge: datetime) -> None:
    while True:
        cursor = await connection.execute(query(statement), {"edge": edge, "limit": ROWS_AT_ONCE})
        if cursor.rowcount < ROWS_AT_ONCE:
            return

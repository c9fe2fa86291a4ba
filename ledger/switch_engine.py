"""Turns a ledger of plain tables into one of TimescaleDB's hypertable and continuous aggregates, in one transaction.

Everything or nothing: until the commit the ledger is what it was, and appends wait. Sums are rebuilt from entries, so a
ledger that has let go of entries is refused.
"""

from collections.abc import Callable

from psycopg import AsyncConnection

from ledger.engine import TIMESCALE, EngineUnusable, detect, require_writable
from ledger.migrate import Connection, checksum, lock
from ledger.rights import apply_rights
from sql import Migration, migrations, query

_COMMUNITY = "timescale"


async def switch_to_timescale(url: str, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Switches and returns the migrations applied instead; nothing where it is done already.

    Raises ``EngineUnusable`` where the server or the ledger cannot, and psycopg's errors, with nothing changed. The
    role must be allowed to create the extension, or it must be there.
    """
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await require_writable(connection)
        await connection.execute(query("engine_extension"))
    # The library is loaded when a session first meets the extension.
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        await lock(connection, progress)
        engine = await detect(connection)
        if engine.word == TIMESCALE:
            return []
        if engine.timescaledb_license != _COMMUNITY:
            raise EngineUnusable(f"continuous aggregates need TimescaleDB's Community edition; this is {engine}")
        async with connection.transaction():
            done = await _switch(connection, progress)
            await apply_rights(connection, TIMESCALE)
            return done


async def _switch(connection: Connection, progress: Callable[[str], None]) -> list[str]:
    row = await (await connection.execute(query("engine_prepare_switch"))).fetchone()
    if row is None:
        raise EngineUnusable("the database is not at this version's schema: run `agent-finops migrate` first")
    if row[0] is not None:
        raise EngineUnusable(f"entries before {row[0]} are no longer kept, and sums are rebuilt from entries")
    await connection.execute(query("engine_drop_views"))
    await connection.execute(query("engine_drop_rollups"))
    await connection.execute(query("blocks_restart"))
    instead = [item for item in migrations() if item.engine == TIMESCALE]
    for item in instead:
        progress(f"switching: {item.file_name}")
        await connection.execute(item.text)
        await _record(connection, item)
    return [item.file_name for item in instead]


async def _record(connection: Connection, item: Migration) -> None:
    values = {"number": item.number, "file_name": item.file_name, "sha256": checksum(item)}
    await connection.execute(query("engine_forget_migration"), {"number": item.number})
    await connection.execute(query("record_migration"), values)

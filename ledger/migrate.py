"""Brings a database to the schema of this code: numbered files, one transaction each, under an advisory lock.

A kill between two files leaves whole files applied; a kill inside one rolls it back. Two starts at once wait for each
other. A file that was applied and has changed since, or a schema newer than this code, is refused.
"""

import hashlib
from collections.abc import Callable

from psycopg import AsyncConnection
from psycopg.errors import DependentObjectsStillExist, InsufficientPrivilege, LockNotAvailable

from ledger.engine import Engine, detect, require_writable
from ledger.rights import apply_rights, take_down_walls
from sql import Migration, migrations, query

LOCK_KEY = 7_013_414_901
"""pg_advisory_lock key of the migration runner."""

Connection = AsyncConnection[tuple[object, ...]]


class MigrationRefused(RuntimeError):
    """The database's history and this code's files disagree."""


def checksum(migration: Migration) -> str:
    """sha256 of the file's text, as kept in schema_migrations and frozen.txt."""
    return hashlib.sha256(migration.text.encode()).hexdigest()


async def migrate(url: str, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Applies what is missing and returns the file names applied.

    Raises ``MigrationRefused``, ``ledger.engine.EngineUnusable``, or psycopg's own error with nothing half applied.
    """
    async with await AsyncConnection.connect(url, autocommit=True) as connection:
        role = (await require_writable(connection)).role
        await lock(connection, progress)
        engine = await detect(connection)
        try:
            await connection.execute(query("migrations_table"))
            lacking = await pending(connection, engine)
            for item in lacking:
                progress(f"migrating: {item.file_name}")
                await _apply(connection, item)
            if await apply_rights(connection, engine.word):
                progress("walls and grants are as this version wants them")
        except InsufficientPrivilege as fault:
            reason = str(fault).partition("\n")[0]
            raise MigrationRefused(f"role {role} may not migrate, {reason}: do it as the database's owner") from fault
        return [item.file_name for item in lacking]


async def pending(connection: Connection, engine: Engine) -> list[Migration]:
    """What the database lacks of this code's schema, in order. Raises ``MigrationRefused`` where it has another one."""
    applied = await _applied(connection)
    wanted = [item for item in migrations() if item.engine in (None, engine.word)]
    _refuse_disagreement(applied, wanted)
    return [item for item in wanted if item.number not in applied]


async def lock(connection: Connection, progress: Callable[[str], None]) -> None:
    """Waits for another runner, saying so; the lock ends with the connection."""
    await connection.execute("set lock_timeout = '2s'")
    while True:
        try:
            await connection.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
            return
        except LockNotAvailable:
            progress("waiting for another migration to finish")


async def _applied(connection: Connection) -> dict[int, tuple[str, str]]:
    rows = await (await connection.execute(query("applied_migrations"))).fetchall()
    return {int(str(number)): (str(name), str(digest)) for number, name, digest in rows}


def _refuse_disagreement(applied: dict[int, tuple[str, str]], wanted: list[Migration]) -> None:
    known = {item.number: item for item in wanted}
    for number, (name, digest) in applied.items():
        if number not in known:
            raise MigrationRefused(f"the database has migration {name}, which this version does not know: upgrade it")
        if checksum(known[number]) != digest:
            raise MigrationRefused(f"migration {name} was changed after it had been applied here")


async def _apply(connection: Connection, migration: Migration) -> None:
    try:
        await _apply_beside_walls(connection, migration)
    except DependentObjectsStillExist:
        # It changes what a wall is made of. The walls are put up again after the migrations.
        async with connection.transaction():
            await take_down_walls(connection)
            await _apply_beside_walls(connection, migration)


async def _apply_beside_walls(connection: Connection, migration: Migration) -> None:
    async with connection.transaction():
        await connection.execute("set local lock_timeout = '10s'")
        await connection.execute(migration.text)
        await connection.execute(
            query("record_migration"),
            {"number": migration.number, "file_name": migration.file_name, "sha256": checksum(migration)},
        )

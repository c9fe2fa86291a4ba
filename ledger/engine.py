"""Which database this is: plain PostgreSQL, TimescaleDB Community or its Apache edition; and whether it can serve.

A ledger that exists already says itself how it keeps its sums; only for an empty database the server's offer decides.
So an extension that somebody creates later changes nothing until the ledger is switched (``ledger.switch_engine``).
"""

import re
from typing import NamedTuple

from psycopg import AsyncConnection

from sql import query

TIMESCALE, POSTGRES = "timescale", "postgres"
TIMESCALEDB_OLDEST = (2, 18)
"""The first version with columnstore policies and with triggers that see all rows of a statement."""
_COMMUNITY = "timescale"


class Engine(NamedTuple):
    """What the server offers. ``word`` is the word in migration file names."""

    word: str
    """'timescale' where sums are continuous aggregates, 'postgres' where the append keeps them."""
    server_version: str
    timescaledb_version: str | None
    timescaledb_license: str | None

    @property
    def keeps_rollups(self) -> bool:
        """Whether the append must add to the sums itself."""
        return self.word == POSTGRES

    def __str__(self) -> str:
        server = f"PostgreSQL {self.server_version.partition(' ')[0]}"
        if self.timescaledb_version is None:
            return server
        edition = "Community" if self.timescaledb_license == _COMMUNITY else "Apache"
        return f"TimescaleDB {self.timescaledb_version} ({edition} edition) on {server}"


class EngineUnusable(RuntimeError):
    """The database would give wrong answers as it is configured; nothing may start on it."""


async def detect(connection: AsyncConnection[tuple[object, ...]]) -> Engine:
    """The engine behind ``connection``.

    Raises ``EngineUnusable`` where the extension is installed but not preloaded, is too old, or where the ledger is
    made of continuous aggregates that this server's edition has not got.
    """
    row = await (await connection.execute(query("engine"))).fetchone()
    assert row is not None
    server_version, version, licence, kind = (None if value is None else str(value) for value in row)
    assert server_version is not None
    if version is not None:
        _refuse_unusable(version, licence)
    community = version is not None and licence == _COMMUNITY
    if kind == "view" and not community:
        raise EngineUnusable(
            "this ledger is made of TimescaleDB's continuous aggregates, but the server runs the Apache edition: "
            "set timescaledb.license = 'timescale' and restart the server"
        )
    word = TIMESCALE if community and kind != "table" else POSTGRES
    return Engine(word, server_version, version, licence)


async def keeps_rollups(connection: AsyncConnection[tuple[object, ...]]) -> bool:
    """Whether who writes entries into this ledger must add to the sums as well."""
    row = await (await connection.execute(query("engine_sums"))).fetchone()
    return row is not None and row[0] == "table"


class Session(NamedTuple):
    """As whom a connection asks, and whether there is a ledger."""

    role: str
    has_ledger: bool


async def require_writable(connection: AsyncConnection[tuple[object, ...]]) -> Session:
    """Raises ``EngineUnusable`` where nothing can be written."""
    row = await (await connection.execute(query("engine_fitness"))).fetchone()
    assert row is not None
    role, standby, read_only, has_ledger = row
    if standby:
        raise EngineUnusable("the server is a standby and takes no writes: name the primary")
    if read_only:
        raise EngineUnusable(
            "the database is read-only: default_transaction_read_only is on for this server, database or role"
        )
    return Session(str(role), bool(has_ledger))


def _refuse_unusable(version: str, licence: str | None) -> None:
    if licence is None:
        raise EngineUnusable(
            "timescaledb is installed in this database but not preloaded; queries would silently miss rows. "
            "Add timescaledb to shared_preload_libraries and restart the server."
        )
    if _numbers(version) < TIMESCALEDB_OLDEST:
        oldest = ".".join(map(str, TIMESCALEDB_OLDEST))
        raise EngineUnusable(
            f"timescaledb {version} is too old, {oldest} or newer is needed: install it and run ALTER EXTENSION "
            "timescaledb UPDATE, or use a database without the extension"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])

"""The ledger as a short command reaches it: one connection, one piece of work, faults as one line."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from finops.spans import LedgerUnavailable
from ledger.engine import EngineUnusable
from ledger.migrate import MigrationRefused, migrate
from ledger.pool import Connection, Pool, configure, pool
from ledger.rights import make_roles
from ledger.switch_engine import switch_to_timescale
from standalone.failures import CannotStart
from standalone.postgres import EmbeddedPostgres, running_url

T = TypeVar("T")
STATEMENT_TIMEOUT_MS = 60_000


class DatabaseFault(CannotStart):
    """The database cannot be reached or refuses; the message says what it said."""


def bring_up_to_date(url: str, say: Callable[[str], None]) -> list[str]:
    """Apply the migrations the database lacks and return their names. Raises CannotStart."""
    return _run(migrate(url, say))


def make_service_roles(superuser_url: str, passwords: Mapping[str, str]) -> None:
    """Make the roles of the services and let them log in. Raises CannotStart."""
    _run(make_roles(superuser_url, passwords))


def in_ledger(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """The work's result, done on one connection in one transaction. Raises CannotStart."""

    async def connected() -> T:
        async with await Connection.connect(url) as connection:
            await configure(connection)
            return await work(connection)

    return _run(connected())


def in_ledger_pool(url: str, work: Callable[[Pool], Awaitable[T]]) -> T:
    """The work's result, done in as many transactions as it likes. Raises CannotStart."""

    async def connected() -> T:
        connections = pool(url, size_max=2, name="agent-finops", statement_timeout_ms=STATEMENT_TIMEOUT_MS)
        try:
            await connections.open(wait=True)
            return await work(connections)
        finally:
            await connections.close()

    return _run(connected())


def switch_engine(url: str, say: Callable[[str], None]) -> list[str]:
    """Move a ledger of plain tables to TimescaleDB and return the migrations applied instead. Raises CannotStart."""
    return _run(switch_to_timescale(url, say))


@contextmanager
def reachable_database(
    url: str | None, data_dir: Path, environment: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[str]:
    """The database of a command: the one given, the running `up`'s, or the data directory's, started meanwhile."""
    found = url or running_url(data_dir)
    if found:
        yield found
        return
    if not (data_dir / "postgres.json").exists():
        raise CannotStart(f"there is no database in {data_dir}: run agent-finops up, or give --database-url")
    with EmbeddedPostgres(environment, say) as postgres:
        yield postgres.start(data_dir)


def _run(work: Awaitable[T]) -> T:
    async def awaited() -> T:
        return await work

    try:
        return asyncio.run(awaited())
    except (EngineUnusable, MigrationRefused) as fault:
        raise DatabaseFault(str(fault)) from fault
    except LedgerUnavailable as fault:
        raise DatabaseFault(f"the database does not answer in time: {fault}") from fault
    except Exception as fault:
        # The driver has one room, the ledger's: here its faults are known by where they come from.
        if type(fault).__module__.partition(".")[0] not in ("psycopg", "psycopg_pool"):
            raise
        raise DatabaseFault(f"the database: {' '.join(str(fault).split())}") from fault

"""One consistent look at the ledger, and its rows as plain numbers. Which query is asked is left to the reports."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NamedTuple

from psycopg import OperationalError

from finops.reports import Filters, Totals
from finops.spans import LedgerUnavailable
from ledger.pool import Connection, Pool
from ledger.tenants import raise_wall, spoken_for
from sql import query

Row = tuple[Any, ...]
Statement = tuple[str, Mapping[str, object]]
"""The name of a query and its values."""
_CURSOR = "pieces"


class Answers(NamedTuple):
    """What several queries found in one look."""

    pending_ranges: int
    rows: list[list[Row]]
    """Of each query, in the order asked."""


class Look:
    """A read-only transaction in which every query sees the same ledger."""

    def __init__(
        self, connection: Connection, complete_through: datetime, pending_ranges: int, days_until: datetime | None
    ) -> None:
        self.connection = connection
        """For whoever has own queries."""
        self.complete_through = complete_through
        """Everything recorded up to this instant is seen."""
        self.pending_ranges = pending_ranges
        """Ranges of late entries that sums do not have yet."""
        self.days_until = days_until
        """Sums by day from here on (a UTC midnight) are made when they are read; None: all are there."""

    async def rows(self, name: str, values: Mapping[str, object]) -> list[Row]:
        """All rows of ``sql/queries/<name>.sql``."""
        return await (await self.connection.execute(query(name), values)).fetchall()

    async def row(self, name: str, values: Mapping[str, object]) -> Row:
        """The only row of a query that always has one."""
        rows = await self.rows(name, values)
        return rows[0]

    async def pieces(self, name: str, values: Mapping[str, object], size: int) -> AsyncGenerator[list[Row], None]:
        """The rows of a query by the piece, from a cursor of the server; whoever takes them closes this."""
        async with self.connection.cursor(name=_CURSOR, binary=True) as cursor:
            await cursor.execute(query(name), values)
            while rows := await cursor.fetchmany(size):
                yield rows


@asynccontextmanager
async def reaching(pool: Pool) -> AsyncIterator[Connection]:
    """A pooled connection in a transaction that knows for whom it speaks.

    An unreachable, full or too slow database is ``LedgerUnavailable``.
    """
    async with _connected(pool) as connection:
        await raise_wall(connection)
        yield connection


@asynccontextmanager
async def _connected(pool: Pool) -> AsyncIterator[Connection]:
    try:
        async with pool.connection() as connection:
            yield connection
    except OperationalError as fault:
        raise LedgerUnavailable(type(fault).__name__) from fault


@asynccontextmanager
async def look(pool: Pool) -> AsyncIterator[Look]:
    """Opens one look; raises ``LedgerUnavailable`` where the database cannot answer in time."""
    async with _connected(pool) as connection:
        await connection.execute(query("report_isolation"))
        yield await _look_through(connection)


async def at_once(pool: Pool, statements: Iterable[Statement]) -> Answers:
    """The answers of one look to all statements, sent together: the way to the database and back is waited for once.

    Raises ``LedgerUnavailable`` where the database cannot answer in time.
    """
    async with _connected(pool) as connection:
        async with connection.pipeline():
            await connection.execute(query("report_isolation"))
            head = await connection.execute(query("report_complete_through"), {"speaks_for": spoken_for()})
            asked = [await connection.execute(query(name), values) for name, values in statements]
            await connection.commit()
        pending = (await head.fetchall())[0][1]
        return Answers(int(str(pending)), [await one.fetchall() for one in asked])


@asynccontextmanager
async def look_and_write(pool: Pool) -> AsyncIterator[Look]:
    """A transaction whose changes rest on one look.

    Where somebody else has changed the same rows since, it is ``LedgerUnavailable`` and nothing is changed: try again.
    """
    async with _connected(pool) as connection, connection.transaction():
        await connection.execute(query("report_isolation_writing"))
        yield await _look_through(connection)


async def _look_through(connection: Connection) -> Look:
    told = {"speaks_for": spoken_for()}
    row = await (await connection.execute(query("report_complete_through"), told)).fetchone()
    assert row is not None
    through, pending, days_until, _ = row
    assert isinstance(through, datetime)
    assert isinstance(pending, int)
    assert days_until is None or isinstance(days_until, datetime)
    return Look(connection, through, pending, days_until)


def filter_values(filters: Filters) -> dict[str, object]:
    """The filters as the queries name them."""
    return {name: None if values is None else list(values) for name, values in filters._asdict().items()}


def totals(columns: Sequence[Any]) -> Totals:
    """``Totals`` of eight columns in its order."""
    if None in columns:
        return Totals(*(None if value is None else int(value) for value in columns))  # type: ignore[arg-type]
    return Totals._make(map(int, columns))

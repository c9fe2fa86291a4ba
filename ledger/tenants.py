"""For whom a request speaks: the second wall between organisations, inside the database.

The first wall is the filter by organisation that every query has. Behind it each transaction of a walled pool is told
whose request it serves, and the database shows it nothing else (``sql/rights/1_walls.sql``). A transaction that was
told nothing sees no rows. Work for the whole ledger says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ledger.pool import EVERYBODY, Connection
from sql import query

_speaks_for: ContextVar[str | None] = ContextVar("finops_speaks_for", default=None)


@contextmanager
def speaking_for(org_id: str | None) -> Iterator[None]:
    """What is read and written inside is this organisation's; None: everybody's."""
    before = _speaks_for.set(EVERYBODY if org_id is None else f"of:{org_id}")
    try:
        yield
    finally:
        _speaks_for.reset(before)


def walled_org() -> str | None:
    """The organisation spoken for; None: all of them, or nobody. For what is made of memory and not of rows."""
    speaks_for = _speaks_for.get()
    return None if speaks_for in (None, EVERYBODY) else speaks_for.removeprefix("of:")


def spoken_for() -> str | None:
    """What the database is to be told; None: nothing."""
    return _speaks_for.get()


async def raise_wall(connection: Connection) -> None:
    """Tells the transaction that begins now for whom it speaks, where that is known."""
    speaks_for = spoken_for()
    if speaks_for is not None:
        await connection.execute(query("wall"), {"speaks_for": speaks_for})

"""Opens the connections: every session asks for the same safety, whoever it serves."""

import asyncio
import select
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection, OperationalError
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from ledger.arrays import PlainListDumper
from ledger.engine import EngineUnusable
from ledger.patience import PatientConnection
from sql import query

Connection = AsyncConnection[tuple[object, ...]]
Pool = AsyncConnectionPool[Connection]
T = TypeVar("T")

DEAD_PEER: Mapping[str, Any] = {
    "connect_timeout": 3,
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""So that a server that vanished without a word is noticed in seconds, not in a quarter of an hour."""

NOBODY, EVERYBODY = "none", "all"
"""For whom a session can speak; see ``sql/rights/1_walls.sql``."""
GRACE_SECONDS = 0.5
"""For the server's own timeout to arrive before the client gives up."""
AGAIN_SECONDS = 0.1
"""Between a connection that was lost at start and the next."""
CHECK_SECONDS_MAX = 2.0
"""A connection that does not answer within this time is not handed out."""
_SAFETY = "select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'synchronous_commit')"


async def configure(connection: Connection) -> None:
    """UTC for every date function, commits that are on disk when they return, sums added by whoever adds spans."""
    await connection.execute("set timezone = 'UTC'")
    await connection.execute("set synchronous_commit = on")
    await connection.execute("set finops.adds_verdicts = on")  # so no trigger need do it: see migration 23
    await connection.execute(query("engine_session"))
    await connection.commit()
    connection.adapters.register_dumper(list, PlainListDumper)
    set_json_dumps(msgspec.json.encode, connection)
    set_json_loads(msgspec.json.decode, connection)


def pool(
    url: str,
    *,
    size_max: int,
    name: str,
    statement_timeout_ms: int,
    patience_seconds: float | None = None,
    idle_transaction_ms: int = 0,
    wall: str | None = None,
    asks_first: bool = True,
) -> Pool:
    """A closed pool of at most ``size_max`` connections; open it with ``await pool.open()``.

    Whoever waits for the server longer than ``patience_seconds`` gets ``OperationalError``; None waits as long as the
    server's own timeouts do, and for ever where it hangs. A transaction whose owner says nothing for
    ``idle_transaction_ms`` is ended by the server; 0: never. With a ``wall`` everything is seen through the walls
    between organisations, and a transaction that is told nothing else speaks for ``NOBODY`` or for ``EVERYBODY``. Where
    ``asks_first`` is False a connection is handed out without asking whether the server still answers on it, which
    saves a way there and back; one on which it has hung up is not handed out either way.
    """

    async def configure_patient(connection: Connection) -> None:
        if isinstance(connection, PatientConnection):
            connection.patience_seconds = patience_seconds
        await configure(connection)

    limits = {"statement_timeout": statement_timeout_ms, "idle_in_transaction_session_timeout": idle_transaction_ms}
    options = " ".join(f"-c {limit}={milliseconds}" for limit, milliseconds in limits.items())
    if wall is not None:
        options += f" -c search_path=walled,public -c finops.org={wall}"
    return AsyncConnectionPool(
        url,
        connection_class=PatientConnection,
        min_size=1,
        max_size=size_max,
        open=False,
        name=name,
        configure=configure_patient,
        kwargs={"options": f"{options} -c application_name={name}", **DEAD_PEER},
        timeout=1,
        # The pool's own patience doubles with every failure: after a long outage it would not try for minutes.
        reconnect_timeout=1,
        check=answers if asks_first else is_open,
    )


async def open_within(connections: Pool, seconds: float) -> None:
    """Opens the pool and asks until the database is there. Raises ``PoolTimeout``, and then the pool is closed."""

    async def nothing(_: Connection) -> None:
        pass

    await asked_within(connections, seconds, nothing)


async def asked_within(connections: Pool, seconds: float, ask: Callable[[Connection], Awaitable[T]]) -> T:
    """Opens the pool and asks until the database answers, anew where the connection is lost on the way.

    Raises ``PoolTimeout``, and then the pool is closed; what ``ask`` finds wrong is raised at once. The pool's own way
    of waiting tries for ``reconnect_timeout`` only, and then waits for what nobody tries any more.
    """
    due = asyncio.get_running_loop().time() + seconds
    await connections.open()
    while True:
        try:
            async with connections.connection() as connection:
                return await ask(connection)
        except OperationalError as lost:  # PoolTimeout is one
            if asyncio.get_running_loop().time() >= due:
                await connections.close()
                raise PoolTimeout(f"the database was not reached within {seconds:g} s") from lost
        await asyncio.sleep(AGAIN_SECONDS)


async def answers(connection: Connection) -> None:
    """Raises where the server does not answer on ``connection`` in time."""
    async with asyncio.timeout(CHECK_SECONDS_MAX):
        await AsyncConnectionPool.check_connection(connection)


async def is_open(connection: Connection) -> None:
    """Raises where the server has hung up: looks at what has arrived, and asks only where something has."""
    arrived = select.poll()
    arrived.register(connection.fileno(), select.POLLIN)
    if arrived.poll(0):
        await answers(connection)


def patience_of(statement_timeout_ms: int) -> float:
    """Seconds for which a server that keeps this timeout can have something to say."""
    return statement_timeout_ms / 1000 + GRACE_SECONDS


async def require_durable(connection: Connection, *, allow_fsync_off: bool = False) -> None:
    """Raises ``EngineUnusable`` where an acknowledged commit could be lost by a crash of the server."""
    rows = await (await connection.execute(_SAFETY)).fetchall()
    off = sorted(str(name) for name, setting in rows if setting == "off")
    if off and not allow_fsync_off:
        raise EngineUnusable(f"the server runs with {', '.join(off)} off: an acknowledged span could be lost")

"""Who starts waits for the database, also where it is lost again between the first connection and the first answer."""

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from ledger.pool import Connection, Pool, asked_within


async def test_a_connection_that_is_lost_on_the_way_is_asked_for_anew(ledger_pool: Pool) -> None:
    asked = 0

    async def lost_twice(connection: Connection) -> int:
        nonlocal asked
        asked += 1
        if asked <= 2:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
        await connection.execute("select 1")
        return asked

    assert await asked_within(ledger_pool, 30, lost_twice) == 3


async def test_what_is_wrong_with_the_database_is_said_at_once(ledger_pool: Pool) -> None:
    async def wrong(connection: Connection) -> None:
        await connection.execute("select no_such_column")

    with pytest.raises(psycopg.errors.UndefinedColumn):
        await asked_within(ledger_pool, 30, wrong)


async def test_patience_ends(ledger_pool: Pool) -> None:
    async def always_lost(connection: Connection) -> None:
        await connection.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(PoolTimeout, match=r"not reached within 0\.2 s"):
        await asked_within(ledger_pool, 0.2, always_lost)

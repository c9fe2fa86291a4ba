"""Databases that cannot be served are refused at start with a reason, and migrations are whole or not there at all."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock

import psycopg
import pytest

from ledger.engine import EngineUnusable
from ledger.fitness import READER, WRITER, require_fit
from ledger.migrate import MigrationRefused, migrate
from ledger.pool import Connection
from sql import migrations

ROOT = Path(__file__).parents[2]
COLUMNS = """
select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns
where table_schema = 'public' order by table_name, column_name
"""
APPLIED = "select number, file_name, sha256 from schema_migrations order by number"


@contextmanager
def superuser(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


async def fit(url: str) -> str:
    async with await Connection.connect(url, autocommit=True) as connection:
        await require_fit(connection, READER)
        return (await require_fit(connection, WRITER)).word


async def test_a_migrated_database_is_fit_for_both_services(database_url: str, engine_name: str) -> None:
    assert await fit(database_url) == ("timescale" if engine_name == "timescale" else "postgres")


async def test_a_database_of_another_schema_is_refused(database_url: str, empty_database_url: str) -> None:
    with pytest.raises(MigrationRefused, match="no schema of this version yet: run `agent-finops migrate`"):
        await fit(empty_database_url)
    with superuser(database_url) as connection:
        connection.execute("insert into schema_migrations (number, file_name, sha256) values (9999, '9999_x.sql', '')")
        for refused in (fit, migrate):
            with pytest.raises(MigrationRefused, match=r"9999_x\.sql, which this version does not know: upgrade it"):
                await refused(database_url)
        connection.execute("delete from schema_migrations where number in (9999, 9)")
    with pytest.raises(MigrationRefused, match=r"0009_arrivals\.sql is missing\): run `agent-finops migrate`"):
        await fit(database_url)


async def test_a_database_that_takes_no_writes_is_refused(database_url: str, empty_database_url: str) -> None:
    for url, refused in ((database_url, fit), (empty_database_url, migrate)):
        with superuser(url) as connection:
            name = connection.info.dbname
            connection.execute(f"alter database {name} set default_transaction_read_only = on")
        with pytest.raises(EngineUnusable, match="the database is read-only"):
            await refused(url)


async def test_a_role_that_may_not_is_told_what_it_lacks(database_url: str, empty_database_url: str) -> None:
    role = f"stranger_{os.getpid()}"
    with superuser(database_url) as connection:
        connection.execute(f"create role {role}")
        tables = "schema_migrations, entries, usage_15m, usage_blocks"
        grants = f"grant select on {tables} to {role}; grant {role} to current_user"
        connection.execute(grants)
    as_stranger = f"?options=-c%20role%3D{role}"
    try:
        with pytest.raises(EngineUnusable, match=f"role {role} lacks SELECT on usage_1d: grant it"):
            await fit(database_url + as_stranger)
        with pytest.raises(MigrationRefused, match=f"role {role} may not migrate, permission denied for schema public"):
            await migrate(empty_database_url + as_stranger)
    finally:
        with superuser(database_url) as connection:
            connection.execute(f"drop owned by {role}; drop role {role}")


async def test_starts_at_once_apply_each_migration_once(empty_database_url: str, engine_name: str) -> None:
    with_extension(empty_database_url, engine_name)
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert sorted(len(names) for names in applied)[:2] == [0, 0]
    assert await fit(empty_database_url)


async def test_a_migration_killed_in_the_middle_leaves_nothing_and_is_made_up_for(
    empty_database_url: str, database_url: str, engine_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_extension(empty_database_url, engine_name)
    with monkeypatch.context() as patch:
        patch.setattr("ledger.migrate.migrations", lambda: [item for item in migrations() if item.number < 9])
        patch.setattr("ledger.migrate.apply_rights", AsyncMock(return_value=False))  # they are of the whole schema
        await migrate(empty_database_url)
    with superuser(empty_database_url) as watching, psycopg.connect(empty_database_url) as holding:
        before = [watching.execute(look).fetchall() for look in (COLUMNS, APPLIED)]
        holding.execute("lock table intake in access share mode")  # what 0009 needs in its middle
        await killed_while_it_waits(empty_database_url, watching)
        assert [watching.execute(look).fetchall() for look in (COLUMNS, APPLIED)] == before
        holding.rollback()
        await migrate(empty_database_url)
        with superuser(database_url) as other:
            assert watching.execute(COLUMNS).fetchall() == other.execute(COLUMNS).fetchall()


async def killed_while_it_waits(url: str, watching: psycopg.Connection[Any]) -> None:
    words = ("-m", "standalone", "migrate", "--database-url", url)
    process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL)
    waits = "select count(*) from pg_stat_activity where datname = %s and wait_event_type = 'Lock'"
    name = watching.info.dbname
    async with asyncio.timeout(60):
        while watching.execute(waits, [name]).fetchone() == (0,):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        # The server notices when it next looks at its client.
        watching.execute(waits.replace("count(*)", "pg_terminate_backend(pid, 10000)"), [name])


def with_extension(url: str, engine_name: str) -> None:
    if engine_name != "embedded":
        with superuser(url) as connection:
            connection.execute("create extension timescaledb")


@pytest.mark.parametrize("service", ["collector", "query_api"])
async def test_a_service_refuses_a_newer_schema_in_one_line(service: str, database_url: str, engine_name: str) -> None:
    if engine_name != "embedded":
        pytest.skip("the services ask as the tests above do")
    with superuser(database_url) as connection:
        connection.execute("insert into schema_migrations (number, file_name, sha256) values (9999, '9999_x.sql', '')")
    settings = {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": database_url,
        "FINOPS_ALLOW_FSYNC_OFF": "1",
        "FINOPS_API": "127.0.0.1:0",
    }
    settings |= {"FINOPS_OTLP_GRPC": "127.0.0.1:0", "FINOPS_OTLP_HTTP": "127.0.0.1:0", "FINOPS_METRICS": "127.0.0.1:0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, cwd=ROOT, env=os.environ | settings, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode != 0
    assert "9999_x.sql, which this version does not know: upgrade it" in told.decode()
    assert told.decode().count("\n") == 1


@pytest.mark.parametrize("service", ["collector", "query_api"])
async def test_a_service_refuses_to_be_a_superuser_in_one_line(
    service: str, database_url: str, engine_name: str
) -> None:
    if engine_name != "embedded":
        pytest.skip("the services ask as the test of roles does")
    doors = ("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS", "FINOPS_API")
    settings = {"FINOPS_DATABASE_URL": database_url, "FINOPS_ALLOW_FSYNC_OFF": "1"}
    environment = os.environ | settings | dict.fromkeys(doors, "127.0.0.1:0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", service, cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    assert process.returncode == 1
    wanted = "finops_collector" if service == "collector" else "finops_api"
    assert f"is a superuser: no wall between organisations binds it. Connect as a member of {wanted}" in told.decode()
    assert told.decode().count("\n") == 1

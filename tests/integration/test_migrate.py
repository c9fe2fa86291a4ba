"""Migrations on the real server."""

import asyncio

import psycopg
import pytest

from ledger.migrate import MigrationRefused, migrate
from sql import migrations


async def test_a_second_run_applies_nothing(empty_database_url: str) -> None:
    first = await migrate(empty_database_url)
    assert first == [item.file_name for item in migrations() if item.engine in (None, "postgres")]
    assert await migrate(empty_database_url) == []


async def test_two_starts_at_once_apply_each_file_once(empty_database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database_url) for _ in range(3)))
    assert sorted(len(names) for names in applied)[:2] == [0, 0]


async def test_a_file_changed_after_it_was_applied_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("update schema_migrations set sha256 = 'another' where number = 1")
    with pytest.raises(MigrationRefused, match=r"0001_ledger\.sql was changed"):
        await migrate(empty_database_url)


async def test_a_newer_schema_than_the_code_is_refused(empty_database_url: str) -> None:
    await migrate(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("insert into schema_migrations (number, file_name, sha256) values (9999, '9999_x.sql', '')")
    with pytest.raises(MigrationRefused, match=r"9999_x\.sql, which this version does not know"):
        await migrate(empty_database_url)

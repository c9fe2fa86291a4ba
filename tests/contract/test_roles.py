"""Each service has a role that may do its work and nothing else; money can be added to and changed by none of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from conftest import with_role
from psycopg.errors import InsufficientPrivilege
from sums_world import NOW, agent_above, assert_exact, built, call, ns, refreshed, rows

from ledger.append import Ledger, Limits
from ledger.block_calendars import ZONES_MAX, WantedZones
from ledger.engine import EngineUnusable, detect
from ledger.fitness import require_bound
from ledger.jobs import autocommit
from ledger.migrate import migrate
from ledger.pool import Pool, configure, pool
from ledger.rates import RateStore
from ledger.retention import retain
from ledger.rights import ROLES
from sql import Migration, migrations, rights

MONEY = ("entries", "rates", "audit")
CHANGES = ("update {} set org_id = org_id", "delete from {}", "truncate {}")
SECRETS = ("tokens", "alert_destinations")


@asynccontextmanager
async def pool_of(url: str, role: str) -> AsyncIterator[Pool]:
    """An open pool of a login that has the role."""
    opened = pool(with_role(url, role), size_max=2, name=role, statement_timeout_ms=60_000)
    await opened.open(wait=True)
    yield opened
    await opened.close()


@pytest.mark.parametrize("role", ["finops_collector", "finops_api", "finops_reader"])
async def test_no_service_can_change_money(database_url: str, role: str) -> None:
    async with pool_of(database_url, role) as services:
        for table in MONEY:
            for change in CHANGES:
                with pytest.raises(InsufficientPrivilege):
                    await rows(services, change.format(f"public.{table}"))


async def test_the_role_of_the_collector_counts_prices_and_corrects(database_url: str, ledger_pool: Pool) -> None:
    async with pool_of(database_url, "finops_collector") as collector:
        ledger = Ledger(collector, RateStore(), writer=UUID(int=1), limits=Limits())
        under = call(2000, NOW)._replace(parent_id=(10**9).to_bytes(8))
        outcome = await ledger.append([*(call(number, NOW) for number in range(50)), under], [], ns(NOW))
        assert outcome.posted == 51
        assert (await ledger.append([agent_above(under), call(1, NOW)], [], ns(NOW))).received == 2
    async with await autocommit(database_url)() as owner:
        await configure(owner)
        await refreshed(owner, NOW)
    await assert_exact(ledger_pool)


async def test_letting_go_of_entries_is_the_right_of_the_jobs_alone(database_url: str, ledger_pool: Pool) -> None:
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    await ledger.append([call(number, NOW) for number in range(5)], [], ns(NOW))
    later = NOW + timedelta(days=60)
    async with await autocommit(database_url)() as owner:
        await configure(owner)
        await refreshed(owner, later)
    for role, may in (("finops_collector", False), ("finops_api", False), ("finops_jobs", True)):
        async with await autocommit(with_role(database_url, role))() as connection:
            await configure(connection)
            engine = await detect(connection)
            if engine.keeps_rollups and may:
                assert await retain(connection, engine, later, 30) is not None
            else:  # chunks and continuous aggregates want their owner
                with pytest.raises(psycopg.Error):
                    await retain(connection, engine, later, 30)
    left = [(0,)] if engine.keeps_rollups else [(5,)]
    assert await rows(ledger_pool, "select count(*) from entries") == left


async def test_a_zone_is_wanted_by_the_query_api_and_summed_up_by_the_jobs(
    database_url: str, ledger_pool: Pool, keeps_rollups: bool
) -> None:
    async with pool_of(database_url, "finops_collector") as collector:
        ledger = Ledger(collector, RateStore(), writer=UUID(int=1), limits=Limits())
        await ledger.append([call(number, NOW - timedelta(hours=number)) for number in range(100)], [], ns(NOW))
        async with pool_of(database_url, "finops_api") as api:
            await WantedZones(api, ZONES_MAX).want("Asia/Kolkata")
        # Continuous aggregates want their owner: with TimescaleDB the jobs connect as it.
        for role, later in (("finops_jobs", NOW), ("finops_collector", NOW + timedelta(days=1))):
            jobs = with_role(database_url, role) if keeps_rollups else database_url
            async with await autocommit(jobs)() as connection:
                await configure(connection)
                await refreshed(connection, later)
                assert await built(connection, later) > 3
                await ledger.append([call(later.day * 50, NOW - timedelta(hours=50))], [], ns(NOW))
                await refreshed(connection, later)
    assert await rows(ledger_pool, "select count(*) from usage_blocks where ends - starts = interval '1 day'") != [(0,)]
    await assert_exact(ledger_pool)


async def test_dashboards_see_figures_and_no_secrets(database_url: str) -> None:
    async with pool_of(database_url, "finops_reader") as reader:
        for table in ("entries", "usage_15m", "usage_1d", "audit", "spend_1d", "session_spend"):
            await rows(reader, f"select * from {table} limit 1")
        for table in SECRETS:
            with pytest.raises(InsufficientPrivilege):
                await rows(reader, f"select * from {table} limit 1")


async def test_the_query_api_reaches_no_organisations_rows_but_through_a_wall(
    database_url: str, ledger_pool: Pool
) -> None:
    with_org = await rows(
        ledger_pool,
        "select c.relname, c.relrowsecurity from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname = 'public' and c.relkind in ('r', 'p', 'v', 'm') and exists (select from pg_attribute a "
        "where a.attrelid = c.oid and a.attname = 'org_id' and not a.attisdropped)",
    )
    assert {"entries", "spans", "usage_1d", "rates"} <= {name for name, _ in with_org}
    readable = "select has_table_privilege('finops_api', %s, 'select')"
    open_to_it = []
    async with ledger_pool.connection() as connection:
        for name, walled in with_org:
            found = await (await connection.execute(readable, [f"public.{name}"])).fetchone()
            if found == (True,) and not walled and name != "tokens":  # tokens are asked for before anybody is known
                open_to_it.append(name)
    assert not open_to_it, f"a line in sql/rights/1_walls.sql is missing for {open_to_it}"


async def test_a_migration_that_walls_are_in_the_way_of_takes_them_down_until_the_end(
    database_url: str, ledger_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [item for item in migrations() if item.engine in (None, "timescale", "postgres")]
    more = Migration(9999, "9999_more.sql", None, "alter table spans drop column would_cost_pico")
    monkeypatch.setattr("ledger.migrate.migrations", lambda: iter([*there, more]))
    assert await migrate(database_url) == ["9999_more.sql"]
    columns = (
        "select column_name from information_schema.columns where table_schema = 'walled' and table_name = 'spans'"
    )
    assert "would_cost_pico" not in {name for (name,) in await rows(ledger_pool, columns)}
    assert await rows(ledger_pool, "select has_table_privilege('finops_api', 'walled.spans', 'select')") == [(True,)]


async def test_every_role_that_is_named_is_made(ledger_pool: Pool, engine_name: str) -> None:
    made = await rows(ledger_pool, "select rolname from pg_roles where rolname like 'finops%'")
    assert set(ROLES) <= {name for (name,) in made}
    texts = " ".join(text for _, text in rights("timescale" if engine_name == "timescale" else "postgres"))
    assert all(role in texts for role in ROLES)


async def test_a_role_that_no_wall_binds_is_refused_unless_that_is_allowed(
    database_url: str, ledger_pool: Pool
) -> None:
    async with pool_of(database_url, "finops_api") as api, api.connection() as connection:
        await require_bound(connection, "finops_api")
    async with ledger_pool.connection() as connection:
        with pytest.raises(EngineUnusable, match=r"is a superuser.*member of finops_api.*FINOPS_ALLOW_SUPERUSER"):
            await require_bound(connection, "finops_api")
        await require_bound(connection, "finops_api", allow_superuser=True)
        role = "finops_boundless_of_tests"
        await connection.execute(f"create role {role} nosuperuser bypassrls")
        await connection.execute(f"set role {role}")
        with pytest.raises(EngineUnusable, match="has BYPASSRLS"):
            await require_bound(connection, "finops_api")
        await connection.rollback()  # the role was never there

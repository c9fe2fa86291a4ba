"""Which engine a ledger is on, when a server is refused, and how a plain ledger becomes one of TimescaleDB's."""

from typing import Any, cast
from uuid import UUID

import psycopg
import pytest
from sums_world import NOW, assert_exact, call, differing, ns, refreshed, rows

from ledger.append import Ledger, Limits
from ledger.engine import EngineUnusable, detect
from ledger.jobs import autocommit
from ledger.migrate import migrate
from ledger.pool import Connection, Pool, configure, pool
from ledger.rates import RateStore
from ledger.storage_state import storage_state
from ledger.switch_engine import switch_to_timescale

SUMS = "select bucket, model_id, calls, cost_pico from usage_15m order by 1, 2, 3, 4"


class Answering:
    """A connection to a server that says this of itself."""

    def __init__(self, *row: str | None) -> None:
        self._row = row

    async def execute(self, _: str) -> "Answering":
        return self

    async def fetchone(self) -> tuple[str | None, ...]:
        return self._row


def server(version: str | None, licence: str | None, sums: str | None = None) -> Connection:
    return cast(Connection, Answering("18.6", version, licence, sums))


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        (server("2.29.2", None), "not preloaded"),
        (server("2.17.2", "timescale"), r"2\.17\.2 is too old, 2\.18 or newer"),
        (server("1.7.5", "apache"), r"1\.7\.5 is too old"),
        (server("2.29.2", "apache", "view"), "the server runs the Apache edition"),
    ],
)
async def test_a_server_that_would_answer_wrongly_is_refused(connection: Connection, reason: str) -> None:
    with pytest.raises(EngineUnusable, match=reason):
        await detect(connection)


async def test_an_empty_database_gets_what_the_server_offers_and_a_ledger_keeps_what_it_has() -> None:
    assert (await detect(server("2.29.2", "timescale"))).word == "timescale"
    assert (await detect(server("2.29.2", "timescale", "table"))).word == "postgres"
    assert (await detect(server("2.29.2", "apache"))).word == "postgres"
    assert (await detect(server(None, "timescale"))).word == "postgres"


async def test_health_tells_the_engine(ledger_pool: Pool, engine_name: str) -> None:
    state = await storage_state(ledger_pool)
    version = str(state["version"])
    assert state["engine"] == ("timescale" if engine_name == "timescale" else "postgres")
    assert ("Community" in version, "Apache" in version) == (engine_name == "timescale", engine_name == "apache")
    assert state["pendingRanges"] == 0
    names = {job["relation"] for job in cast(list[dict[str, Any]], state.get("jobs", []))}
    assert names == ({"entries", "usage_15m"} if engine_name == "timescale" else set())


async def filled(url: str) -> Pool:
    """A pool on a plain ledger with some calls."""
    assert "0002_rollups.postgres.sql" in await migrate(url)
    opened = pool(url, size_max=4, name="test", statement_timeout_ms=60_000)
    await opened.open(wait=True)
    ledger = Ledger(opened, RateStore(), writer=UUID(int=1), limits=Limits())
    await ledger.append([call(number, NOW) for number in range(50)], [], ns(NOW))
    return opened


async def test_a_plain_ledger_is_switched_by_one_command_to_the_same_sums(
    empty_database_url: str, engine_name: str
) -> None:
    opened = await filled(empty_database_url)
    try:
        before = await rows(opened, SUMS)
        if engine_name != "timescale":
            with pytest.raises((EngineUnusable, psycopg.Error)):
                await switch_to_timescale(empty_database_url)
            assert await differing(opened, "usage_1d") == []
            return
        assert await switch_to_timescale(empty_database_url)
        assert await switch_to_timescale(empty_database_url) == []
        assert await migrate(empty_database_url) == []
        assert (
            await rows(opened, "select bucket, model_id, calls, cost_pico from usage_15m order by 1, 2, 3, 4") == before
        )
        ledger = Ledger(opened, RateStore(), writer=UUID(int=2), limits=Limits())
        await ledger.append([call(number, NOW) for number in range(40, 90)], [], ns(NOW))
        async with await autocommit(empty_database_url)() as connection:
            await configure(connection)
            await refreshed(connection, NOW)
        await assert_exact(opened)
    finally:
        await opened.close()


async def test_a_switch_that_is_cut_off_changes_nothing(empty_database_url: str, engine_name: str) -> None:
    if engine_name != "timescale":
        pytest.skip("there is nothing to switch to")
    opened = await filled(empty_database_url)

    def cut_off(text: str) -> None:
        if "0008" in text:
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            await switch_to_timescale(empty_database_url, cut_off)
        await assert_exact(opened)
        async with opened.connection() as connection:
            assert (await detect(connection)).word == "postgres"
        assert await migrate(empty_database_url) == []
    finally:
        await opened.close()

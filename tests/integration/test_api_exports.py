"""Exports as a reader gets them: over a real server, to the last digit, harmless, and gone when the reader is."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

import httpx2
import pytest
from exports_world import EVIL, WINDOW, export_ledger
from integration.test_api_answers import ADMIN, PREFIX, World, world
from repricing_world import NOW, rows

from finops.focus import VERSIONS
from ledger.pool import Pool
from ledger.tokens import TokenStore
from query_api import csv_text
from query_api.application import application
from query_api.auth import Gate
from query_api.server import HttpServer
from query_api.settings_values import Address

__all__ = ["world"]
COSTS, FOCUS = f"{PREFIX}/exports/costs.csv", f"{PREFIX}/exports/focus.csv"
ASKED = {"window": WINDOW}


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    """The API behind a real server, over the exports' ledger beside the reports' small one."""
    await export_ledger(world.pool)
    app = application(world.endpoints(), Gate(TokenStore(world.pool), world.monotonic), lambda: NOW)
    server = HttpServer(app, Address("127.0.0.1", 0), 100)
    address = await server.start()
    headers = {"Authorization": f"Bearer {ADMIN}"}
    async with httpx2.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=30) as client:
        yield client
    await server.stop(1)


async def table(api: httpx2.AsyncClient, path: str, **asked: str) -> list[dict[str, str]]:
    answer = await api.get(path, params=ASKED | asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    assert "attachment" in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


async def test_the_ledger_comes_out_with_every_digit_and_no_formula(api: httpx2.AsyncClient, world: World) -> None:
    told = await table(api, COSTS)
    (stands,) = await rows(world.pool, "select sum(cost_pico), count(*) from entries where event_time > '2026-09-01'")
    assert sum(Decimal(row["costUsd"] or 0) for row in told) == Decimal(stands[0]).scaleb(-12)
    assert len(told) == stands[1]
    assert not any("e" in row["costUsd"].lower() for row in told)
    evil = next(row for row in told if row["userId"])
    assert (evil["agentId"], evil["userId"], evil["teamId"]) == (f"'{EVIL}", "'@user", "'-team")
    assert evil["service"] == 'a "quoted", name'
    assert {row["costUsd"] for row in told if row["unpricedCalls"] == "1"} == {""}
    audited = await api.get(f"{PREFIX}/audit", params={"action": "export.read"})
    assert audited.json()["items"][0]["subject"] == COSTS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("grain", ["call", "agentDay"])
async def test_focus_adds_up_and_has_its_versions_columns(
    api: httpx2.AsyncClient, world: World, version: str, grain: str
) -> None:
    told = await table(api, FOCUS, version=version, grain=grain)
    (stands,) = await rows(world.pool, "select sum(cost_pico), sum(calls) from entries where event_time > '2026-09-01'")
    assert sum(Decimal(row["BilledCost"] or 0) for row in told) == Decimal(stands[0]).scaleb(-12)
    assert sum(int(row["x_Calls"]) for row in told) == stands[1]
    assert ("ServiceProviderName" in told[0]) is (version == "1.3")
    assert all(datetime.fromisoformat(row["ChargePeriodStart"]) for row in told)
    assert {row["x_Correction"] for row in told} == {"true", "false"}
    assert all(json.loads(row["Tags"]) is not None for row in told)
    unpriced = [row for row in told if row["x_UnpricedCalls"] != "0"]
    assert unpriced
    assert {row[name] for row in unpriced for name in ("BilledCost", "ListUnitPrice", "PricingUnit", "SkuId")} == {""}
    priced = await table(api, FOCUS, version=version, grain=grain, unpriced="omit")
    assert priced == [row for row in told if row["BilledCost"]]


async def test_nothing_to_tell_is_a_line_of_names(api: httpx2.AsyncClient) -> None:
    answer = await api.get(COSTS, params=ASKED | {"agentId": "nobody"})
    assert answer.text.count("\r\n") == 1
    assert answer.text.startswith("eventTime,recordedAt,")
    head = await api.head(COSTS, params=ASKED)
    assert (head.status_code, head.content) == (200, b"")


async def test_faults_are_told_before_anything_is_sent(api: httpx2.AsyncClient) -> None:
    for asked in ({"version": "1.1"}, {"grain": "hour"}, {"window": "401d"}, {"unpriced": "no"}, {"limit": "1"}):
        answer = await api.get(FOCUS, params=asked)
        assert answer.status_code == 400
        assert [fault["field"] for fault in answer.json()["errors"]] == list(asked)


async def reading(pool: Pool) -> int:
    """Exports that the database is feeding."""
    fed = "state <> 'idle' and (query like 'FETCH%' or query like 'DECLARE%')"
    found = await rows(pool, f"select count(*) from pg_stat_activity where datname = current_database() and {fed}")
    return int(found[0][0])


async def until_nobody_reads(pool: Pool) -> None:
    for _ in range(400):
        if not await reading(pool):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the database still feeds an export")


async def test_who_goes_away_or_stalls_frees_the_connection(api: httpx2.AsyncClient, world: World) -> None:
    await rows_by_the_ten_thousand(world.pool)
    async with api.stream("GET", COSTS, params=ASKED) as first, api.stream("GET", COSTS, params=ASKED) as second:
        assert (first.status_code, second.status_code) == (200, 200)
        busy = await api.get(COSTS, params=ASKED)
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "5")
        assert await reading(world.pool) == 2
        await until_nobody_reads(world.pool)
    async with api.stream("GET", COSTS, params=ASKED) as hung_up:
        assert hung_up.status_code == 200
        assert await reading(world.pool) == 1
    await until_nobody_reads(world.pool)


async def rows_by_the_ten_thousand(pool: Pool) -> None:
    """More than sockets hold."""
    columns = "event_time, tenant, trace_id, span_id, revision, recorded_s, org_id, team_id, agent_id, session_id, "
    columns += "user_id, environment, service, provider, model_id, operation, calls, agent_runs, tool_calls, "
    columns += "input_tokens, cached_input_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, "
    columns += "reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, "
    columns += "saved_tokens, semantic_savings_pico, prompt_savings_pico, reported_cost_pico, rate_version, "
    columns += "start_lag_us, detail"
    many = columns.replace("revision,", "n,", 1).replace("revision", "n")
    async with pool.connection() as connection:
        await connection.execute(
            f"insert into entries ({columns}) select {many} from entries, generate_series(100, 1100) as n "
            "where revision = 1"
        )


def test_no_cell_begins_a_formula() -> None:
    for text in ("=1", "+1", "-1", "@a", "\t=1", "\r=1", "  =1", "|calc", "%0", "＝1"):
        assert csv_text.cell(text) == f"'{text}"
    assert csv_text.cell("a=1") == "a=1"
    assert csv_text.cell(Decimal("-0.0000001")) == "-0.0000001"

"""Exports as a reader gets them: over a real server, to the last digit, harmless, and gone when the reader is."""

import asyncio
import csv
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import datetime
from decimal import Decimal

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exports_world import EVIL, WINDOW, export_ledger
from integration.test_api_answers import ADMIN, PREFIX, World, world
from repricing_world import NOW, rows

from doors.settings_values import Address
from finops.focus import VERSIONS
from ledger.pool import Pool
from ledger.tokens import TokenStore
from query_api import csv_text
from query_api.application import application
from query_api.auth import Gate
from query_api.server import HttpServer

__all__ = ["world"]
COSTS, FOCUS = f"{PREFIX}/exports/costs.csv", f"{PREFIX}/exports/focus.csv"
ASKED = {"window": WINDOW}
PARQUET = "application/vnd.apache.parquet"


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


async def parquet(api: httpx2.AsyncClient, path: str, **asked: str) -> pq.ParquetFile:
    answer = await api.get(path, params=ASKED | {"format": "parquet"} | asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == PARQUET
    name = path.rpartition("/")[2].replace(".csv", ".parquet")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    return pq.ParquetFile(io.BytesIO(answer.content))


EXPORTS = [(COSTS, {}), *((FOCUS, {"version": version, "grain": "call"}) for version in VERSIONS)]


@pytest.mark.parametrize(("path", "asked"), [*EXPORTS, (FOCUS, {"grain": "agentDay", "unpriced": "omit"})])
async def test_parquet_has_the_rows_of_csv_with_types(
    api: httpx2.AsyncClient, path: str, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query_api.parquet_rows.GROUP_ROWS", 7)
    monkeypatch.setattr("ledger.exports.ROWS_AT_ONCE", 5)
    lines, file = await table(api, path, **asked), await parquet(api, path, **asked)
    assert file.num_row_groups > 2
    told = file.read().to_pylist()
    assert len(told) == len(lines) == file.metadata.num_rows
    for line, row in zip(lines, told, strict=True):
        assert line.keys() == row.keys()
        for name, value in row.items():
            if isinstance(value, Decimal):
                assert Decimal(line[name]) == value
            elif isinstance(value, str):  # only spreadsheets need an apostrophe in front of a formula
                assert line[name].removeprefix("'") == value.removeprefix("'")
            else:
                assert line[name] == str(csv_text.cell(value)), name
    money = [field for field in file.schema_arrow if field.name.endswith(("Usd", "Cost", "Price", "Quantity"))]
    assert money
    assert all(pa.types.is_decimal128(field.type) for field in money)
    started = file.schema_arrow.field("eventTime" if path == COSTS else "ChargePeriodStart")
    assert started.type == pa.timestamp("us", tz="UTC")


async def test_parquet_can_be_asked_for_by_what_is_accepted(api: httpx2.AsyncClient) -> None:
    wanted = {"*/*": "text/csv", PARQUET: PARQUET, f"{PARQUET}, text/csv": "text/csv", "application/json": "text/csv"}
    for accept, media_type in wanted.items():
        answer = await api.get(COSTS, params=ASKED, headers={"Accept": accept})
        assert answer.headers["content-type"].startswith(media_type)
    plain = await api.get(COSTS, params=ASKED | {"format": "csv"}, headers={"Accept": PARQUET})
    assert plain.headers["content-type"].startswith("text/csv")
    nothing = await parquet(api, COSTS, agentId="nobody")
    assert (nothing.metadata.num_rows, nothing.schema_arrow.names[0]) == (0, "eventTime")


async def test_without_the_extra_parquet_is_refused_by_its_name(
    api: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("query_api.export_formats.EXTRA", "no_such_module")
    answer = await api.get(COSTS, params=ASKED | {"format": "parquet"})
    assert (answer.status_code, "agent-finops[parquet]" in answer.json()["detail"]) == (406, True)
    assert (await api.get(COSTS, params=ASKED)).status_code == 200


def test_nothing_of_the_extra_is_imported_where_nobody_asks_for_parquet() -> None:
    asked = "import sys, query_api.__main__; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False, timeout=60).returncode == 0


def test_no_cell_begins_a_formula() -> None:
    for text in ("=1", "+1", "-1", "@a", "\t=1", "\r=1", "  =1", "|calc", "%0", "＝1"):
        assert csv_text.cell(text) == f"'{text}"
    assert csv_text.cell("a=1") == "a=1"
    assert csv_text.cell(Decimal("-0.0000001")) == "-0.0000001"

"""Every query of every Grafana dashboard, with its macros expanded as Grafana does, on a real ledger of each engine."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import grafana_macros
import pytest
from conftest import EMBEDDED
from sums_world import call

from finops.spans import SpanRecord
from grafana.__main__ import rendered
from ledger.append import Ledger, Limits
from ledger.pool import Connection, Pool
from ledger.rates import RateStore

NOW = datetime.now(UTC).replace(microsecond=0)
START, END = NOW - timedelta(days=30), NOW + timedelta(minutes=1)
CALLS = 120
EMPTY_IS_FINE = {("sessions", "Anomalies"), ("sessions", "Baselines")}
"""Nothing was abnormal and nothing stated in this ledger."""
VARIABLES = {"org": ["org-0", "org-1", "it's"], "agent": [f"service-{number}" for number in range(5)]}


def queries() -> Iterator[tuple[str, str, str]]:
    """Dashboard, panel or variable, SQL."""
    for name, text in rendered().items():
        board = json.loads(text)
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                yield name.removesuffix(".json"), f"variable {variable['name']}", variable["query"]
        for panel in board["panels"]:
            for target in panel["targets"]:
                if "rawSql" in target:
                    yield name.removesuffix(".json"), panel["title"], target["rawSql"]


def records() -> list[SpanRecord]:
    """Calls of the last ten days and the last hour, some of them without a price, some embeddings."""
    made = []
    for number in range(1, CALLS + 1):
        ended = NOW - (timedelta(minutes=number % 50) if number % 3 else timedelta(hours=number * 2))
        record = call(number, ended)
        made.append(record._replace(operation="embeddings") if number % 7 == 0 else record)
    return made


@pytest.fixture
async def ledger(ledger_pool: Pool) -> Pool:
    """A ledger with those calls."""
    store = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    await store.append(records(), [], int(NOW.timestamp()) * 10**9)
    return ledger_pool


async def asked(connection: Connection, sql: str, engine_name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Names of the columns, and rows, as the role sees them that dashboards connect with."""
    await connection.execute("set local role finops_reader")
    statement = grafana_macros.expand(sql, START, END, VARIABLES, timescale=engine_name != EMBEDDED)
    cursor = await connection.execute(statement)
    names, rows = [column.name for column in cursor.description or ()], await cursor.fetchall()
    await connection.execute("reset role")
    return names, rows


async def test_every_panel_of_every_dashboard_shows_something(ledger: Pool, engine_name: str) -> None:
    silent = set()
    async with ledger.connection() as connection:
        for board, panel, sql in queries():
            columns, rows = await asked(connection, sql, engine_name)
            assert len(columns) == len(set(columns)), (board, panel)
            if not rows or all(value is None for row in rows for value in row):
                silent.add((board, panel))
    assert silent == EMPTY_IS_FINE


async def test_series_come_in_the_order_of_time(ledger: Pool, engine_name: str) -> None:
    seen = 0
    async with ledger.connection() as connection:
        for board, panel, sql in queries():
            columns, rows = await asked(connection, sql, engine_name)
            if columns[0] == "time":
                seen += 1
                times = [row[0] for row in rows]
                assert times == sorted(times), (board, panel)
    assert seen > 8


async def test_the_overview_adds_up_to_the_ledger(ledger: Pool, engine_name: str) -> None:
    panels = {panel: sql for board, panel, sql in queries() if board == "overview"}
    async with ledger.connection() as connection:
        exact = "select sum(cost_pico), sum(unpriced_calls), sum(calls) from entries"
        row = await (await connection.execute(exact)).fetchone()
        assert row is not None
        pico, unpriced, calls = map(int, map(str, row))
        _, [(cost,)] = await asked(connection, panels["Spent in this range"], engine_name)
        assert round(Decimal(cost), 9) == round(Decimal(pico).scaleb(-12), 9) > 0
        assert (await asked(connection, panels["Calls without a price"], engine_name))[1] == [(unpriced,)]
        assert (await asked(connection, panels["Model calls"], engine_name))[1] == [(calls,)]


async def test_dollars_in_the_views_have_all_their_digits(ledger: Pool) -> None:
    async with ledger.connection() as connection:
        statement = "select (select sum(cost_usd) from {}), (select sum(cost_pico) from entries)"
        for view in ("spend_15m", "spend_1d", "session_spend"):
            row = await (await connection.execute(statement.format(view))).fetchone()
            assert row is not None
            assert row[0] == Decimal(str(row[1])).scaleb(-12), view

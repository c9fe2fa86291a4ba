"""Every report reads the relation meant for it, and only the part of it that its period needs."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sums_world import NOW, call, ns, refreshed

from finops.cost_questions import CostQuestion
from finops.periods import trailing_days
from finops.reports import NO_FILTERS
from finops.time_windows import TimeWindow
from ledger.append import Ledger, Limits
from ledger.costs import question_values
from ledger.jobs import autocommit
from ledger.pool import Connection, Pool, configure
from ledger.rates import RateStore
from ledger.reading import filter_values
from ledger.refresh import DAY, SETTLE, floor
from ledger.reports import period_values
from sql import query

WEEK = trailing_days(7, "UTC", NOW)
OVER_DAYS = ["report_trends", "report_allocations", "report_models", "report_totals"]
BY_ZONE = {("report_trends", "UTC"): {"usage_1d"}, ("report_trends", "Asia/Kolkata"): {"usage_15m"}}
"""Days of a zone are made of quarter hours; a period that is not cut into days, mostly of UTC days."""
OVER_TIME = [
    "report_unpriced_models",
    "report_cache_money",
    "report_cache_impact",
    "report_reported_costs",
    "report_costs_by_sums",
    "report_costs_by_entries",
]
BY_WHOLE_CHUNKS = {"report_costs_by_entries"}
BY_ARRIVAL = ["report_verdicts", "report_suspense", "report_redelivered"]


@pytest.fixture
async def connection(ledger_pool: Pool, database_url: str) -> Any:
    """A ledger of twenty days with a call an hour, all but the newest materialised; plans never prefer a full scan."""
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    await ledger.append([call(hour, NOW - timedelta(hours=hour)) for hour in range(24 * 20)], [], ns(NOW))
    async with await autocommit(database_url)() as opened:
        await configure(opened)
        await refreshed(opened, NOW)
        await opened.execute("analyze entries")
        await opened.execute("set enable_seqscan = off")
        yield opened


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def plan_of(connection: Connection, name: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """What a query really does."""
    cursor = await connection.execute("explain (analyze, timing off, format json) " + query(name), values)
    row = await cursor.fetchone()
    assert row is not None
    plans: Any = row[0] if isinstance(row[0], list) else json.loads(str(row[0]))
    return [node for node in nodes(plans[0]["Plan"]) if node.get("Actual Loops", 0) > 0]


async def scans(connection: Connection, name: str, values: dict[str, object]) -> list[tuple[str, str]]:
    """(relation, index or '') of what a query really reads."""
    read = await plan_of(connection, name, values)
    return [(node["Relation Name"], index_of(node)) for node in read if "Relation Name" in node]


def index_of(node: dict[str, Any]) -> str:
    """The index that a scan goes by; '' where it reads everything."""
    if node["Node Type"] == "Bitmap Heap Scan":
        return next((str(below["Index Name"]) for below in nodes(node) if "Index Name" in below), "")
    return str(node.get("Index Name", ""))


async def older_chunks(connection: Connection, before: datetime) -> set[str]:
    """Chunks of any hypertable that hold nothing newer."""
    row = await (
        await connection.execute("select to_regclass('timescaledb_information.chunks') is not null")
    ).fetchone()
    if row is None or not row[0]:
        return set()
    chunks = "select chunk_name from timescaledb_information.chunks where range_end <= %s"
    return {str(name) for (name,) in await (await connection.execute(chunks, [before])).fetchall()}


async def days_until(connection: Connection) -> datetime | None:
    """Where the sums by day end, as every report is told."""
    row = await (await connection.execute(query("report_complete_through"), {"speaks_for": None})).fetchone()
    assert row is not None
    assert row[2] is None or isinstance(row[2], datetime)
    return row[2]


def values_of(zone: str, until: datetime | None = None) -> dict[str, object]:
    period = trailing_days(7, zone, NOW)
    window = TimeWindow(zone, period.start, period.end)
    asked = CostQuestion(window, frozenset({"agent"}), (period.start,), period.whole_utc_days, NO_FILTERS, 100, True)
    return (
        question_values(asked, until)
        | period_values(period, NO_FILTERS, until)
        | {"starts": list(period.starts), "by_utc_day": period.whole_utc_days, "first_bucket": period.start}
    )


async def test_a_week_is_read_by_index_and_without_older_parts(connection: Connection, engine_name: str) -> None:
    older = await older_chunks(connection, WEEK.start - timedelta(days=1))
    assert bool(older) is (engine_name == "timescale")
    for name, zone in product([*OVER_DAYS, *OVER_TIME], ["UTC", "Asia/Kolkata"]):
        read = await scans(connection, name, values_of(zone))
        relations = {relation for relation, _ in read}
        assert relations, name
        assert not relations & older, name
        assert name in BY_WHOLE_CHUNKS or all(index for _, index in read), (name, read)
        if name in OVER_DAYS and engine_name != "timescale":
            assert relations == BY_ZONE.get((name, zone), {"usage_1d", "usage_15m"}), (name, zone)


async def test_whole_days_are_read_from_days_and_only_the_newest_from_entries(
    connection: Connection, engine_name: str
) -> None:
    if engine_name != "timescale":
        pytest.skip("sums are tables here")
    for name in OVER_DAYS:
        relations = {relation for relation, _ in await scans(connection, name, values_of("UTC"))}
        assert any(relation.startswith("_hyper_3_") for relation in relations), "days"
        entries = {relation for relation in relations if relation.startswith("_hyper_1_")}
        assert len(entries) <= 1, "the chunk of today, for what is not materialised"


async def test_the_day_that_has_no_sums_yet_is_not_summed_twice(connection: Connection, engine_name: str) -> None:
    until = await days_until(connection)
    if engine_name != "timescale":
        assert until is None
        return
    assert until == floor(NOW - SETTLE, DAY)

    async def day_sums(name: str, given: datetime | None) -> int:
        """Rows that were summed by day while the report was read."""
        plan = await plan_of(connection, name, values_of("UTC", given))
        by_day = [node for node in plan if any("'1 day'" in key for key in node.get("Group Key", []))]
        return sum(int(node["Actual Rows"]) for node in by_day)

    for name in (*OVER_DAYS[1:], "report_costs_by_sums"):
        assert await day_sums(name, None) > 0, name
        assert await day_sums(name, until) == 0, name


async def test_what_arrived_in_a_period_is_found_by_its_arrival(connection: Connection) -> None:
    found = {name: await scans(connection, name, values_of("UTC")) for name in BY_ARRIVAL}
    assert found == {
        "report_verdicts": [("spans", "spans_arrived_at")],
        "report_suspense": [("suspense", "suspense_arrived_at")],
        "report_redelivered": [("intake", "intake_pkey1")],
    }


async def test_a_trace_is_found_by_the_keys_of_its_spans(connection: Connection, engine_name: str) -> None:
    values = filter_values(NO_FILTERS) | {"trace_id": (7).to_bytes(16), "limit": 10}
    for name in ("report_trace_totals", "report_trace_calls", "report_trace_spans"):
        read = await scans(connection, name, values)
        assert {index for relation, index in read if relation == "spans"} == {"spans_pkey"}, (name, read)
        root = {"entries"} if engine_name == "timescale" else set()  # which is empty, beside its chunks
        entries = {relation for relation, _ in read} - {"spans"} - root
        assert len(entries) <= 2, "the chunks that the spans' times lead to"
        assert all("entries_pkey" in index for relation, index in read if relation in entries), (name, read)


async def test_a_session_is_found_by_its_index(connection: Connection) -> None:
    values = filter_values(NO_FILTERS) | {"session_id": (7).to_bytes(16).hex(), "limit": 10}
    for name in ("report_session_totals", "report_session_calls"):
        read = await scans(connection, name, values)
        assert read
        assert all("session" in index for _, index in read)


async def test_the_fastest_sessions_are_found_by_their_bounds_and_summed_by_their_slots(connection: Connection) -> None:
    values = filter_values(NO_FILTERS) | {
        "now": NOW,
        "window_start": NOW - timedelta(minutes=10),
        "idle_start": NOW - timedelta(minutes=30),
        "limit": 10,
        "likely": 10,
    }
    read = await scans(connection, "report_active_sessions", values)
    assert ("session_heads", "session_heads_bound") in read, read
    assert {index for relation, index in read if relation == "session_slots"} <= {
        "session_slots_pkey",
        "session_slots_slot",
    }

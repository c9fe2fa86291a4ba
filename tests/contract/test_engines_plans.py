"""Every report reads the relation meant for it, and only the part of it that its period needs."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from plans_world import days_until, look_of, older_chunks, plan_of, planned, scans
from sums_world import NOW, built, wanted

from finops.blocks import Stretch, pieces
from finops.cost_questions import CostQuestion
from finops.periods import trailing_days
from finops.reports import NO_FILTERS
from finops.time_windows import TimeWindow
from ledger.blocks import covered
from ledger.costs import question_values, sums_of
from ledger.pool import Connection, Pool
from ledger.reading import filter_values
from ledger.refresh import DAY, SETTLE, floor
from ledger.reports import period_values

WEEK = trailing_days(7, "UTC", NOW)
OVER_DAYS = ["report_trends", "report_days", "report_allocations", "report_models", "report_totals"]
BY_DAY = ["report_trends", "report_days", "report_cache_impact"]
BY_QUARTERS = {("report_trends", "Asia/Kolkata"), ("report_days", "Asia/Kolkata")}
"""Days of a zone nobody has asked for are made of quarter hours; a period that is not cut, mostly of UTC days."""
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
async def connection(ledger_pool: Pool, database_url: str) -> AsyncIterator[Connection]:
    async with planned(ledger_pool, database_url) as opened:
        yield opened


async def values_of(connection: Connection, name: str, zone: str, until: datetime | None = None) -> dict[str, object]:
    """As the reports ask: some by day, some for the whole period."""
    period = trailing_days(7, zone, NOW)
    window = TimeWindow(zone, period.start, period.end)
    asked = CostQuestion(window, frozenset({"agent"}), (period.start,), NO_FILTERS, 100, True)
    days, whole = pieces(period.starts, period.end, zone), [Stretch(period.start, period.end)]
    ledger = await look_of(connection, until)
    found = await covered(ledger, days if name in BY_DAY else whole)
    return (
        question_values(asked, await covered(ledger, sums_of(asked)))
        | period_values(period, NO_FILTERS, found)
        | {"starts": list(period.starts), "first_bucket": period.start, "kind": "agent", "names": ["agent-1"]}
    )


async def test_a_week_is_read_by_index_and_without_older_parts(connection: Connection, engine_name: str) -> None:
    older, until = await older_chunks(connection, WEEK.start - timedelta(days=1)), await days_until(connection)
    assert bool(older) is (engine_name == "timescale")
    for name, zone in product([*OVER_DAYS, *OVER_TIME], ["UTC", "Asia/Kolkata"]):
        read = await scans(connection, name, await values_of(connection, name, zone, until))
        relations = {relation for relation, _ in read}
        assert relations, name
        assert not relations & older, name
        assert name in BY_WHOLE_CHUNKS or all(index for _, index in read), (name, read)
        if name in OVER_DAYS and engine_name != "timescale":
            plan = await plan_of(connection, name, await values_of(connection, name, zone, until))
            relations = {node["Relation Name"] for node in plan if node["Actual Rows"] and "Relation Name" in node}
            edges = {"usage_15m"} if zone != "UTC" else set()
            assert relations == ({"usage_15m"} if (name, zone) in BY_QUARTERS else {"usage_1d"} | edges), (name, zone)


async def test_whole_days_are_read_from_days_and_only_the_newest_from_entries(
    connection: Connection, engine_name: str
) -> None:
    if engine_name != "timescale":
        pytest.skip("sums are tables here")
    until = await days_until(connection)
    for name in OVER_DAYS:
        relations = {
            relation for relation, _ in await scans(connection, name, await values_of(connection, name, "UTC", until))
        }
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
        plan = await plan_of(connection, name, await values_of(connection, name, "UTC", given))
        by_day = [node for node in plan if any("'1 day'" in key for key in node.get("Group Key", []))]
        return sum(int(node["Actual Rows"]) for node in by_day)

    for name in (*OVER_DAYS, "report_costs_by_sums"):
        assert await day_sums(name, None) > 0, name
        assert await day_sums(name, until) == 0, name


async def test_days_of_a_zone_that_was_asked_for_are_read_from_their_blocks(connection: Connection) -> None:
    await wanted(connection, "Asia/Kolkata")
    await built(connection, NOW)
    await connection.execute("analyze usage_blocks, blocks")
    until, zone = await days_until(connection), "Asia/Kolkata"
    for name in BY_DAY:
        values = await values_of(connection, name, zone, until)
        days = trailing_days(7, zone, NOW).starts
        starts: Any = values["block_starts"]
        assert starts[: len(days) - 1] == list(days[:-1]), name
        assert all(start > days[-1] for start in starts[len(days) - 1 :]), "the day that is not over"
        read = await scans(connection, name, values)
        assert ("usage_blocks", "usage_blocks_pkey") in read, (name, read)
        assert all(index for _, index in read), (name, read)
        assert not {relation for relation, _ in read} & await older_chunks(connection, NOW - DAY), name


async def test_a_long_period_is_made_of_whole_weeks_and_the_day_that_is_not_over_of_quarters(
    connection: Connection, engine_name: str
) -> None:
    await built(connection, NOW)
    await connection.execute("analyze usage_blocks, blocks")
    until = await days_until(connection)
    period = trailing_days(20, "UTC", NOW)
    found = await covered(await look_of(connection, until), [Stretch(period.start, period.end)])
    hours = [(block.end - block.start) // timedelta(hours=1) for block in found.blocks]
    assert hours == [168, 168, *([6, 6] if engine_name == "timescale" else [])]
    for name in set(OVER_DAYS).difference(BY_DAY):
        read = await scans(connection, name, period_values(period, NO_FILTERS, found))
        assert ("usage_blocks", "usage_blocks_pkey") in read, (name, read)
        assert all(index for _, index in read), (name, read)


async def test_the_blocks_of_a_period_are_found_by_their_keys(connection: Connection) -> None:
    await built(connection, NOW)
    await connection.execute("analyze usage_blocks, blocks")
    values: dict[str, object] = {"start": WEEK.start, "end": WEEK.end, "starts": WEEK.start, "ends": WEEK.end}
    for name in ("blocks_inside", "blocks_touched"):
        assert {index for _, index in await scans(connection, name, values)} <= {"blocks_pkey", "blocks_ends"}, name


async def test_what_arrived_in_a_period_is_found_by_its_arrival(connection: Connection) -> None:
    found = {name: await scans(connection, name, await values_of(connection, name, "UTC")) for name in BY_ARRIVAL}
    assert found == {
        "report_verdicts": [("verdict_sums", "verdict_sums_pkey")],
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

"""Budgets, counters and drill-downs read the relation and the index meant for them, and leave older parts alone."""

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest
from plans_world import older_chunks, planned, scans
from sums_world import NOW, call, ns

from finops.budget_periods import Span
from finops.budgets import BudgetScope, Dimension
from finops.reports import NO_FILTERS
from ledger.append import Ledger, Limits
from ledger.pool import Connection, Pool
from ledger.rates import RateStore
from ledger.reading import filter_values
from ledger.refresh import DAY
from ledger.spending import spend_values

MONTHLY = Span(NOW - timedelta(days=9, minutes=3), NOW)
"""It begins within a quarter hour, as a rolling budget does."""
Found = list[tuple[str, str]]


@pytest.fixture
async def connection(ledger_pool: Pool, database_url: str) -> AsyncIterator[Connection]:
    async with planned(ledger_pool, database_url) as opened:
        yield opened


async def spend_scans(connection: Connection, name: str, scope: BudgetScope, each: Dimension | None) -> Found:
    values = spend_values(scope, each, MONTHLY, 100) | {"recorded_since": 0}
    read = await scans(connection, name, values)
    older = await older_chunks(connection, MONTHLY.start - DAY)
    assert not {relation for relation, _ in read} & older, (name, read)
    # The queue is short; the root of a hypertable is empty, beside its chunks.
    few = {"dirty_ranges", "entries"} if name == "spend_by_group_late" else set()
    assert all(index for relation, index in read if relation not in few), (name, read)
    return read


async def test_a_budget_of_agents_is_read_from_days_and_quarter_hours(
    connection: Connection, engine_name: str, ledger_pool: Pool
) -> None:
    read = await spend_scans(connection, "spend_by_group", BudgetScope(), Dimension.AGENT)
    tables = {relation for relation, _ in read}
    if engine_name == "timescale":
        assert any(relation.startswith("_hyper_3_") for relation in tables), "days"
        assert any(relation.startswith("_hyper_2_") for relation in tables), "quarter hours"
        entries = {relation for relation in tables if relation.startswith("_hyper_1_")}
        assert len(entries) <= 2, "the chunks of the first quarter hour, and of what is not materialised"
    else:
        assert tables == {"usage_1d", "usage_15m", "entries"}
        assert {index for relation, index in read if relation == "entries"} == {"entries_pkey"}


async def test_a_budget_while_late_entries_wait_reads_the_entries_of_their_quarter_hours_alone(
    connection: Connection, engine_name: str, ledger_pool: Pool
) -> None:
    if engine_name != "timescale":
        pytest.skip("nothing waits where the append keeps the sums")
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=2), limits=Limits())
    await ledger.append([call(9000, NOW - timedelta(days=3))], [], ns(NOW))
    read = await spend_scans(connection, "spend_by_group_late", BudgetScope(), Dimension.AGENT)
    entries = {relation for relation, _ in read if relation.startswith("_hyper_1_")}
    assert 1 <= len(entries) <= 3, "of the late quarter hour, the first one, and what is not materialised"


async def test_budgets_of_sessions_and_users_are_read_by_their_indexes(connection: Connection) -> None:
    session = BudgetScope(session=((7).to_bytes(16).hex(),))
    read = await spend_scans(connection, "spend_of_sessions", session, Dimension.SESSION)
    assert all("session" in index for _, index in read), read
    read = await spend_scans(connection, "spend_of_users", BudgetScope(user=("user-3",)), Dimension.USER)
    assert all("user" in index for _, index in read), read


async def test_a_budget_of_every_session_reads_the_entries_of_its_period(connection: Connection) -> None:
    for name in ("spend_by_call", "spend_members_since"):
        read = await spend_scans(connection, name, BudgetScope(), Dimension.SESSION)
        assert read, name


async def test_counters_since_ever_are_read_from_days(connection: Connection, engine_name: str) -> None:
    values = filter_values(NO_FILTERS) | {"max_since": NOW - timedelta(minutes=3)}
    older = await older_chunks(connection, NOW - timedelta(days=2))
    for name in ("report_lifetime_activity", "report_lifetime_money"):
        read = await scans(connection, name, values)
        tables = {relation for relation, _ in read}
        if engine_name == "timescale":
            entries = {relation for relation in tables if relation.startswith("_hyper_1_")}
            assert any(relation.startswith("_hyper_3_") for relation in tables), "days"
            assert not entries & older, "single entries of what is not materialised alone"
        else:
            assert tables <= {"usage_1d", "entries"}, (name, read)
            assert all(index for relation, index in read if relation == "entries"), (name, read)


async def test_active_sessions_of_a_model_are_read_from_the_newest_entries(
    connection: Connection, engine_name: str
) -> None:
    values = filter_values(NO_FILTERS) | {
        "models": ["gpt-4o"],
        "now": NOW,
        "window_start": NOW - timedelta(minutes=10),
        "idle_start": NOW - timedelta(hours=6),
        "limit": 10,
    }
    read = await scans(connection, "report_active_sessions_by_entries", values)
    assert not {relation for relation, _ in read} & await older_chunks(connection, NOW - DAY), read
    root = "entries" if engine_name == "timescale" else ""  # which is empty, beside its chunks
    assert all(index for relation, index in read if relation != root), read
    slots = {index for relation, index in read if relation == "session_slots"}
    assert slots == {"session_slots_pkey"}, "when each of them was seen first"


async def test_the_spans_of_a_session_are_found_by_its_entries_and_their_traces(connection: Connection) -> None:
    values = filter_values(NO_FILTERS) | {"session_id": (7).to_bytes(16).hex(), "limit": 10}
    read = await scans(connection, "report_session_spans", values)
    assert {index for relation, index in read if relation == "spans"} == {"spans_pkey"}, read
    assert all("session" in index for relation, index in read if relation != "spans"), read

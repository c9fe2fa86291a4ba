"""The overview says what the single reports say, and all of it as of one instant."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from finops.cost_questions import CostQuestion
from finops.overview import Overview, Sums, dearest, orgs_of, summed
from finops.periods import DAYS_MAX, trailing_days
from finops.reports import NO_FILTERS, AgentSpend, Filters, Totals
from finops.time_windows import read_window, steps_of
from ledger.costs import CostReport
from ledger.overview import OverviewReports
from ledger.pool import Pool
from ledger.reports import Reports

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ZONES = ("UTC", "Asia/Kathmandu")
MINE = Filters(orgs=("acme",), environments=("prod",))
FIELDS = {"agent": 2, "model": 7, "org": 0}
"""Where a kind's name stands among those of a row of costs."""


@pytest.fixture
async def pool(ledger_pool: Pool, keeps_rollups: bool) -> Pool:
    text = (Path(__file__).parents[1] / "testdata" / "reports" / "ledger.sql").read_text("utf-8")
    async with ledger_pool.connection() as connection:
        for statement in text.split(";\n\n"):
            if keeps_rollups or not statement.startswith("insert into usage_"):
                await connection.execute(statement)
    return ledger_pool


async def seen(pool: Pool, kind: str = "agent", zone: str = "UTC", filters: Filters = NO_FILTERS) -> Overview:
    history = trailing_days(DAYS_MAX, zone, NOW)
    stated = await OverviewReports(pool).overview(trailing_days(7, zone, NOW), history, filters, kind)
    return stated.answer


async def costs(pool: Pool, window: str, zone: str, filters: Filters, kind: str = "") -> list[tuple[object, ...]]:
    """Spend as the general report tells it: by day and name, or altogether."""
    asked = read_window(window, zone, NOW, 400)
    groups, steps = (frozenset({kind}), steps_of(asked, "day")) if kind else (frozenset[str](), (asked.start,))
    question = CostQuestion(asked, groups, steps, filters, 1000, False)
    page = (await CostReport(pool).costs(question)).answer
    if not kind:
        return [(page.totals, page.agent_runs, page.tool_calls)]
    days = trailing_days(7, zone, NOW).days
    return [(days[row.step], row.names[FIELDS[kind]], row.totals, row.agent_runs, row.tool_calls) for row in page.rows]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("filters", [NO_FILTERS, MINE], ids=["all", "filtered"])
async def test_every_figure_is_that_of_the_report_it_belongs_to(pool: Pool, zone: str, filters: Filters) -> None:
    found, reports, week = await seen(pool, "agent", zone, filters), Reports(pool), trailing_days(7, zone, NOW)
    assert found.agents == (await reports.allocations(week, filters)).answer
    assert found.models == (await reports.models(week, filters)).answer
    assert found.cache_steps == (await reports.cache_impact(week, filters, hourly=False)).answer
    assert found.since(week.days[0]).money == (await reports.cache_money(week.start, week.end, filters)).answer
    today = found.history.days[-1]
    for window, first in (("today", today), ("month", today.replace(day=1)), ("7d", week.days[0])):
        sums = found.since(first)
        told = [(sums.totals, sums.agent_runs, sums.tool_calls)]
        assert told == await costs(pool, window, zone, filters), window


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("zone", ZONES)
async def test_days_are_divided_as_costs_divides_them(pool: Pool, kind: str, zone: str) -> None:
    found = await seen(pool, kind, zone)
    rows = [
        (row.day, row.name or "", row.totals, row.sums.agent_runs, row.sums.tool_calls) for row in found.days_of_period
    ]
    assert sorted(rows, key=str) == sorted(await costs(pool, "7d", zone, NO_FILTERS, kind), key=str)


async def test_the_parts_are_the_whole(pool: Pool) -> None:
    found = await seen(pool)
    whole = found.since(found.period.days[0])
    for parts in (found.agents, found.models, found.orgs):
        assert sum(row.totals.cost_pico or 0 for row in parts) == whole.priced_pico
        assert sum(row.totals.unpriced_calls for row in parts) == whole.unpriced_calls
        assert sum(row.totals.calls for row in parts) == whole.calls


async def test_an_empty_ledger_has_an_overview(ledger_pool: Pool) -> None:
    found = await seen(ledger_pool)
    assert (found.names, found.days, found.agents, found.models, found.orgs) == ([], [], [], [], [])
    assert found.since(found.history.days[0]) == Sums()
    assert found.cache_steps == []


def spend(org: str, agent: str, cost_pico: int | None, calls: int = 1) -> AgentSpend:
    totals = Totals(calls=calls, cost_pico=cost_pico, unpriced_calls=calls if cost_pico is None else 0)
    return AgentSpend(org, agent, totals, 0, 0, None)


def test_what_is_unknown_stays_unknown_beside_what_is_known() -> None:
    agents = [spend("a", "one", 30), spend("b", "two", None), spend("b", "three", 10), spend("c", "four", None)]
    orgs = orgs_of(agents)
    assert [(row.org_id, row.totals.cost_pico, row.totals.unpriced_calls) for row in orgs] == [
        ("a", 30, 0), ("b", 10, 1), ("c", None, 1)
    ]  # fmt: skip
    assert [str(row.share) for row in orgs] == ["0.75", "0.25", "None"]


def test_the_dearest_names_are_those_that_cost_most_in_all_organisations() -> None:
    agents = [spend("a", f"agent-{number}", number) for number in range(1, 6)]
    agents += [spend("b", "agent-1", 100), spend("b", "free", 0), spend("b", "unknown", None)]
    assert dearest((row.agent_id, row.totals) for row in agents) == [
        "agent-1", "agent-5", "agent-4", "agent-3", "agent-2"
    ]  # fmt: skip


def test_sums_of_calls_without_any_price_are_unknown_and_of_none_are_nothing() -> None:
    assert Sums().totals == Totals()
    unpriced = Sums(calls=2, unpriced_calls=2)
    assert unpriced.totals.cost_pico is None
    assert summed([unpriced, Sums(calls=1, priced_pico=7)]).totals.cost_pico == 7

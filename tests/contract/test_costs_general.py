"""Spend by any grouping over any window is the sum of the entries, on every engine, page by page."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from sums_world import built, call, ns, refreshed, rows

from finops.blocks import Stretch
from finops.cost_questions import GROUPS, CostPage, CostQuestion, CostRow, EntriesGone
from finops.reports import NO_FILTERS, Filters
from finops.spans import Dimensions, LedgerUnavailable
from finops.time_windows import TimeWindow, steps_of
from ledger.append import Ledger, Limits
from ledger.block_calendars import ZONES_MAX, WantedZones
from ledger.costs import CostReport
from ledger.engine import detect
from ledger.jobs import autocommit
from ledger.pool import Pool, configure
from ledger.rates import RateStore
from ledger.retention import retain

_WITHOUT_ID = ("environment", "provider", "operation", "service")
COLUMN = {name: name if name in _WITHOUT_ID else f"{name}_id" for name in GROUPS}
CHANGES = [datetime(2026, 3, 8, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)]
"""Days on which clocks change somewhere."""
NOW = datetime(2026, 4, 9, 12, tzinfo=UTC)
ZONES = [
    "UTC",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "America/New_York",
    "America/Havana",
    "Europe/Berlin",
    "Pacific/Chatham",
    "Antarctica/Troll",
    "Africa/Cairo",
]


@pytest.fixture
async def world(ledger_pool: Pool, database_url: str) -> tuple[Pool, list[dict[str, Any]]]:
    """Some 400 calls around the changes of clocks, most of them materialised where that is done."""
    ledger, chance = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits()), random.Random(7)
    records = []
    for number in range(400):
        moment = CHANGES[number % 3] + timedelta(seconds=chance.randrange(-36 * 3600, 60 * 3600))
        who = Dimensions(
            org=f"org-{number % 2}",
            team=("", "red", "blue")[number % 3],
            agent=f"agent-{number % 4}",
            session=f"session-{number % 9}",
            user=f"user-{number % 7}",
            environment=("prod", "")[number % 2],
        )
        records.append(call(number + 1, moment, own=who, provider=("openai", "azure")[number % 2]))
    await ledger.append(records, [], ns(NOW))
    async with await autocommit(database_url)() as leader:
        await configure(leader)
        await refreshed(leader, NOW)
    async with ledger_pool.connection() as connection:
        cursor = await connection.execute("select * from entries")
        names = [column.name for column in cursor.description or ()]
        entries = [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]
    return ledger_pool, entries


def question(window: TimeWindow, groups: set[str], **changes: Any) -> CostQuestion:
    plain = CostQuestion(window, frozenset(groups), (window.start,), NO_FILTERS, 1000, True)
    return plain._replace(**changes)


def expected(entries: list[dict[str, Any]], asked: CostQuestion) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Calls and priced cost of the entries by step and names."""
    found: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0])
    for entry in entries:
        if asked.window.start <= entry["event_time"] < asked.window.end:
            step = sum(1 for start in asked.steps if start <= entry["event_time"]) - 1
            key = (step, *(entry[COLUMN[name]] if name in asked.groups else "" for name in GROUPS))
            found[key][0] += entry["calls"]
            found[key][1] += entry["cost_pico"] or 0
    return {key: (calls, cost) for key, (calls, cost) in found.items()}


def told(page: CostPage) -> dict[tuple[Any, ...], tuple[int, int]]:
    return {(row.step, *row.names): (row.totals.calls, row.totals.cost_pico or 0) for row in page.rows}


async def test_every_grouping_is_the_sum_of_the_entries(world: tuple[Pool, list[dict[str, Any]]]) -> None:
    pool, entries = world
    windows = [
        TimeWindow("UTC", datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC)),
        TimeWindow("UTC", datetime(2026, 3, 7, 10, 3, 11, tzinfo=UTC), datetime(2026, 3, 9, 23, 59, 59, tzinfo=UTC)),
        TimeWindow("UTC", datetime(2026, 3, 8, 0, 1, tzinfo=UTC), datetime(2026, 3, 8, 0, 9, tzinfo=UTC)),
    ]
    singles: list[set[str]] = [{name} for name in GROUPS]
    for window in windows:
        for groups in [set[str](), *singles, {"org", "model"}, {"user", "agent"}, set(GROUPS)]:
            asked = question(window, groups)
            page = (await CostReport(pool).costs(asked)).answer
            assert told(page) == expected(entries, asked), (window, groups)
            assert page.totals.calls == sum(row.totals.calls for row in page.rows)


async def test_the_hours_of_a_day_add_up_to_it_in_every_zone(
    world: tuple[Pool, list[dict[str, Any]]], database_url: str
) -> None:
    pool, entries = world
    await every_zone_adds_up(pool, entries)
    wanted = await rows(pool, "select zone from block_calendars where step = 'day'")
    assert {zone for (zone,) in wanted} == {*ZONES} - {"UTC"}, "what was asked is made from now on"
    async with await autocommit(database_url)() as leader:
        await configure(leader)
        assert await built(leader, NOW) > 300
    await every_zone_adds_up(pool, entries)


async def test_a_zone_whose_report_takes_too_long_is_made_from_now_on(world: tuple[Pool, list[dict[str, Any]]]) -> None:
    pool, _ = world
    midnights = [day - timedelta(hours=5, minutes=30) for day in CHANGES]

    async def slow_report() -> None:
        days = [Stretch(midnight, midnight + timedelta(days=1)) for midnight in midnights]
        async with WantedZones(pool, ZONES_MAX).look("Asia/Kolkata", days) as (ledger, _found):
            await ledger.connection.execute("set local statement_timeout = 20")
            await ledger.connection.execute("select pg_sleep(10)")

    with pytest.raises(LedgerUnavailable):
        await slow_report()
    assert await rows(pool, "select zone from block_calendars where step = 'day'") == [("Asia/Kolkata",)]


async def every_zone_adds_up(pool: Pool, entries: list[dict[str, Any]]) -> None:
    start = datetime(2026, 3, 6, tzinfo=UTC)
    for zone, days in product(ZONES, (4, 33)):
        starts = steps_of(TimeWindow(zone, start, start + timedelta(days=days)), "day")
        window = TimeWindow(zone, starts[1], starts[-1])
        pages = {}
        for step in ("hour", "day", "week", "month"):
            steps = steps_of(window, step)
            asked = question(window, {"model"}, steps=steps)
            page = pages[step] = (await CostReport(pool).costs(asked)).answer
            assert told(page) == expected(entries, asked), (zone, step)
            assert page.totals == pages["hour"].totals
        by_day = dict.fromkeys(starts[1:-1], 0)
        hours = steps_of(window, "hour")
        for row in pages["hour"].rows:
            by_day[max(day for day in by_day if day <= hours[row.step])] += row.totals.cost_pico or 0
        for row in pages["day"].rows:
            by_day[starts[1 + row.step]] -= row.totals.cost_pico or 0
        assert not any(by_day.values()), zone


async def test_pages_have_every_group_once_and_the_sums_of_all(world: tuple[Pool, list[dict[str, Any]]]) -> None:
    pool, _ = world
    window = TimeWindow("UTC", datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC))
    for dearest_first in (True, False):
        groups = {"agent", "user", "model"}
        asked = question(window, groups, steps=steps_of(window, "week"), dearest_first=dearest_first)
        whole = (await CostReport(pool).costs(asked)).answer
        found: list[CostRow] = []
        paged = asked._replace(limit=13)
        while True:
            page = (await CostReport(pool).costs(paged)).answer
            assert page.totals == whole.totals
            found += page.rows
            if (place := page.next_place(dearest_first=dearest_first)) is None:
                break
            paged = paged._replace(after=place)
        assert found == list(whole.rows)
        if dearest_first:
            costs = [(row.step, -1 if row.totals.cost_pico is None else row.totals.cost_pico) for row in found]
            assert costs == sorted(costs, key=lambda cost: (cost[0], -cost[1]))


async def test_unpriced_is_null_and_filters_hold(world: tuple[Pool, list[dict[str, Any]]]) -> None:
    pool, entries = world
    window = TimeWindow("UTC", datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC))
    page = (await CostReport(pool).costs(question(window, {"model"}))).answer
    unknown = next(row for row in page.rows if "nobody-knows" in row.names)
    assert unknown.totals.cost_pico is None
    assert unknown == page.rows[-1]
    filters = Filters(orgs=("org-1",), agents=("agent-1", "agent-3"))
    page = (await CostReport(pool).costs(question(window, set(), filters=filters))).answer
    mine = [
        entry
        for entry in entries
        if entry["org_id"] == "org-1"
        and entry["agent_id"] in ("agent-1", "agent-3")
        and entry["event_time"] >= window.start
    ]
    assert page.totals.calls == len(mine) > 0
    assert page.totals.cost_pico == sum(entry["cost_pico"] or 0 for entry in mine)
    nothing = (await CostReport(pool).costs(question(window, {"org"}, filters=Filters(orgs=("nobody",))))).answer
    assert (list(nothing.rows), nothing.totals.calls, nothing.totals.cost_pico) == ([], 0, 0)


async def test_what_only_old_entries_could_tell_is_refused(
    world: tuple[Pool, list[dict[str, Any]]], database_url: str
) -> None:
    pool, _ = world
    window = TimeWindow("UTC", datetime(2026, 3, 7, tzinfo=UTC), datetime(2026, 4, 8, tzinfo=UTC))
    before = (await CostReport(pool).costs(question(window, {"agent"}))).answer
    async with await autocommit(database_url)() as leader:
        await configure(leader)
        assert await retain(leader, await detect(leader), NOW, 12) is not None
    assert (await CostReport(pool).costs(question(window, {"agent"}))).answer == before
    for asked in (
        question(window, {"user"}),
        question(window._replace(start=window.start + timedelta(seconds=1)), {"agent"}),
    ):
        with pytest.raises(EntriesGone):
            await CostReport(pool).costs(asked)

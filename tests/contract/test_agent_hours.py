"""Active hours: each looked at once, by the highest rate of each session, without what was abnormal."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from burning_world import USD, calls, spend

from finops.anomaly_rules import Rules
from finops.reports import NO_FILTERS, Filters
from ledger.agent_hours import AgentHoursPass, SuggestionReports
from ledger.anomaly_pass import AnomalyPass
from ledger.baselines import BaselineStore
from ledger.pool import Pool

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


async def kept(pool: Pool) -> list[tuple[Any, ...]]:
    statement = "select agent_id, hour, sessions, median_pico_per_hour from agent_hours order by hour, agent_id"
    async with pool.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def test_an_hour_is_the_median_of_the_highest_rates_of_its_sessions(ledger_pool: Pool) -> None:
    hours = AgentHoursPass(ledger_pool, 600)
    await hours.run(at(75))
    assert await kept(ledger_pool) == []
    for number in range(3):
        short = calls(at(3), 5, 60, 0.1 * (number + 1), session=f"s-{number}")
        await spend(ledger_pool, [*short, *calls(at(30), 1, 1, 0.01, session=f"s-{number}")])
    await spend(ledger_pool, calls(at(61), 1, 1, 9.0))
    await hours.run(at(74))
    assert await kept(ledger_pool) == [], "not settled yet"
    await hours.run(at(75))
    await hours.run(at(76))
    assert await kept(ledger_pool) == [("agent", NOON, 3, 6 * USD)], (
        "a dollar in ten minutes is the middle one's highest"
    )
    await hours.run(at(300))
    await hours.run(at(300))
    assert [row[1] for row in await kept(ledger_pool)] == [NOON, at(60)]


async def test_what_was_abnormal_does_not_become_normal(ledger_pool: Pool) -> None:
    await BaselineStore(ledger_pool).put("", "agent", Decimal("0.5"), "test")
    await spend(ledger_pool, calls(at(3), 5, 60, 0.01, session="modest"))
    await spend(ledger_pool, calls(at(3), 5, 60, 1.0, session="runaway"))
    await AnomalyPass(ledger_pool, Rules()).run(at(9))
    await AgentHoursPass(ledger_pool, 600).run(at(80))
    assert await kept(ledger_pool) == [("agent", NOON, 1, 3 * USD // 10)]


async def test_suggestions_are_shown_beside_what_was_put_and_replace_nothing(ledger_pool: Pool) -> None:
    hours, baselines = AgentHoursPass(ledger_pool, 600), BaselineStore(ledger_pool)
    await baselines.put("", "agent", Decimal(7), "ada", Decimal(2))
    for number in range(24):
        await spend(ledger_pool, calls(NOON - timedelta(hours=3 * number), 5, 60, 0.1, session=f"s-{number}"))
    for _ in range(24 * 3):
        await hours.run(at(80))
    [found] = await SuggestionReports(ledger_pool).suggestions(at(80), Decimal(5), NO_FILTERS)
    assert (found.status, found.active_hours, found.stated_usd_per_hour) == ("ok", 24, Decimal(7))
    assert (found.baseline_usd_per_hour, found.anomaly_multiplier) == (Decimal(3), Decimal(2))
    assert await SuggestionReports(ledger_pool).suggestions(at(80), Decimal(5), Filters(agents=("other",))) == []
    assert [row.baseline_usd_per_hour for row in await baselines.baselines(NO_FILTERS)] == [7]

"""The judge over the ledger: an anomaly opens once, is told once, closes once, and survives whoever judges."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from burning_world import USD, Spent, calls, spend

from finops.anomaly_rules import Rules
from finops.reports import NO_FILTERS, Filters
from ledger.anomalies import AnomalyReports
from ledger.anomaly_pass import AnomalyPass
from ledger.baselines import BaselineStore
from ledger.burn_gauges import BurnReports
from ledger.pool import Pool

START = datetime(2026, 3, 10, 12, tzinfo=UTC)
RULES = Rules()


@pytest.fixture
async def judge(ledger_pool: Pool) -> AnomalyPass:
    await BaselineStore(ledger_pool).put("", "agent", Decimal("0.5"), "test")
    return AnomalyPass(ledger_pool, RULES)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def kept(pool: Pool, columns: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(f"select {columns} from anomalies order by anomaly_id")).fetchall()


async def told(pool: Pool) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        alerts = "select key, severity, resolved_at from alerts order by alert_id"
        return await (await connection.execute(alerts)).fetchall()


async def runaway(pool: Pool, usd: float = 0.1, session: str = "session") -> None:
    """A dollar, or what is asked for, in a hundred seconds from the start on."""
    await spend(pool, calls(START, 10, 10, usd, session=session))


async def test_it_opens_once_with_the_calls_that_caused_it_and_is_told_once(
    judge: AnomalyPass, ledger_pool: Pool
) -> None:
    await judge.run(at(-1))
    assert await kept(ledger_pool, "*") == []
    await runaway(ledger_pool)
    await spend(ledger_pool, calls(at(95), 1, 1, 0.2))
    for seconds in (100, 101, 102):
        await judge.run(at(seconds))
    columns = "session_id, severity, rule, opened_at, spend_pico, calls, opened_ratio, closed_at"
    opened = ("session", "warning", "rate", at(40), 12 * USD // 10, 11, Decimal("14.4"), None)
    assert await kept(ledger_pool, columns) == [opened]
    [(dearest,)] = await kept(ledger_pool, "top_calls")
    assert [call["costUsd"] for call in dearest] == [0.2, 0.1, 0.1, 0.1, 0.1]
    assert dearest[0]["at"] == "2026-03-10T12:01:35Z"
    assert await told(ledger_pool) == [("anomaly:default:session:agent", "warning", None)]


async def test_a_judge_started_again_neither_tells_again_nor_forgets(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await runaway(ledger_pool)
    await judge.run(at(100))
    for seconds in range(101, 110):
        await AnomalyPass(ledger_pool, RULES).run(at(seconds))
    assert len(await kept(ledger_pool, "1")) == len(await told(ledger_pool)) == 1
    for seconds in range(700, 760, 5):
        await AnomalyPass(ledger_pool, RULES).run(at(seconds))
    [(closed, why, below)] = await kept(ledger_pool, "closed_at, close_reason, below_seconds")
    assert (closed, why) == (None, None)
    assert below == 55
    await AnomalyPass(ledger_pool, RULES).run(at(760))
    [(closed, why)] = await kept(ledger_pool, "closed_at, close_reason")
    assert (closed, why) == (at(760), "recovered")
    assert await told(ledger_pool) == [("anomaly:default:session:agent", "warning", at(760))]
    await AnomalyPass(ledger_pool, RULES).run(at(765))
    assert len(await kept(ledger_pool, "1")) == 1


async def test_many_judges_at_once_open_one(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await runaway(ledger_pool)
    await asyncio.gather(*(AnomalyPass(ledger_pool, RULES).run(at(100 + i)) for i in range(6)))
    assert len(await kept(ledger_pool, "1")) == len(await told(ledger_pool)) == 1


async def test_what_gets_worse_is_told_as_the_same_alert(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await runaway(ledger_pool)
    await judge.run(at(100))
    await spend(ledger_pool, calls(at(100), 10, 10, 1.0))
    await judge.run(at(200))
    assert await kept(ledger_pool, "severity, rule, peak_ratio") == [("critical", "urgent", Decimal(132))]
    assert await told(ledger_pool) == [("anomaly:default:session:agent", "critical", None)]
    [(dearest,)] = await kept(ledger_pool, "top_calls")
    assert {call["costUsd"] for call in dearest} == {1}


async def test_one_dear_call_needs_no_baseline(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await spend(ledger_pool, calls(START, 1, 1, 5.0, agent="nobody-knows"))
    await spend(ledger_pool, calls(START, 1, 1, 4.99, agent="nobody-knows", session="cheaper"))
    await judge.run(at(10))
    assert await kept(ledger_pool, "session_id, rule, baseline_pico_per_hour") == [("session", "singleCall", None)]


async def test_the_multiplier_of_an_agents_own_holds_and_an_organisations_baseline_wins(ledger_pool: Pool) -> None:
    baselines, judge = BaselineStore(ledger_pool), AnomalyPass(ledger_pool, RULES)
    await baselines.put("", "agent", Decimal("0.5"), "test", Decimal(20))
    await baselines.put("picky", "agent", Decimal("0.5"), "test", Decimal(2))
    for org in ("default", "picky"):
        await spend(ledger_pool, calls(START, 4, 10, 0.1, org=org))
    await judge.run(at(100))
    assert await kept(ledger_pool, "org_id, multiplier") == [("picky", Decimal(2))]


async def test_what_is_open_is_seen_before_it_is_judged_and_after(judge: AnomalyPass, ledger_pool: Pool) -> None:
    reports = AnomalyReports(ledger_pool)
    await runaway(ledger_pool)
    await runaway(ledger_pool, 0.2, "worse")
    before = (await reports.active(at(100), RULES, NO_FILTERS)).answer
    assert [(one.session_id, str(one.ratio), one.anomaly_id) for one in before] == [
        ("worse", "24", None),
        ("session", "12", None),
    ]
    await judge.run(at(100))
    after = (await reports.active(at(101), RULES, NO_FILTERS)).answer
    assert [one._replace(top_calls=(), anomaly_id=None) for one in after] == [
        one._replace(judged_at=at(101)) for one in before
    ]
    for filters, found in ((Filters(models=("gpt-4o",)), 2), (Filters(environments=("test",)), 0)):
        assert len((await reports.active(at(101), RULES, filters)).answer) == found
    assert (await reports.active(at(101), RULES, Filters(orgs=("other",)))).answer == []


async def test_a_clock_that_jumps_opens_and_closes_nothing(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await runaway(ledger_pool)
    await judge.run(at(100))
    for seconds in (7200, 101, 86_400, 102, -86_400, 103, 7200, 104):
        await judge.run(at(seconds))
    assert await kept(ledger_pool, "closed_at") == [(None,)]
    assert len(await told(ledger_pool)) == 1


async def test_money_that_comes_late_is_no_anomaly(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await spend(ledger_pool, calls(at(-3 * 86_400), 20, 10, 9.0))
    await judge.run(at(10))
    assert await kept(ledger_pool, "*") == []


async def test_history_by_page_by_session_and_by_state(judge: AnomalyPass, ledger_pool: Pool) -> None:
    reports = AnomalyReports(ledger_pool)
    for number in range(3):
        await runaway(ledger_pool, session=f"s-{number}")
    await judge.run(at(100))
    asked: dict[str, Any] = {"filters": NO_FILTERS, "sessions": None, "is_open": None}
    first = await reports.page(limit=2, before=None, **asked)
    rest = await reports.page(limit=2, before=first[-1].anomaly_id, **asked)
    assert sorted(one.session_id for one in first + rest) == ["s-0", "s-1", "s-2"]
    one = await reports.page(limit=9, before=None, **asked | {"sessions": ["s-1"]})
    assert [anomaly.session_id for anomaly in one] == ["s-1"]
    assert await reports.page(limit=9, before=None, **asked | {"is_open": False}) == []
    assert len(await reports.page(limit=9, before=None, **asked | {"is_open": True})) == 3


async def test_gauges_tell_what_each_agent_burns_and_what_is_open(judge: AnomalyPass, ledger_pool: Pool) -> None:
    await runaway(ledger_pool)
    await runaway(ledger_pool, 0.01, "modest")
    await spend(ledger_pool, [Spent(at(50), None, "s", "unpriced"), Spent(at(-601), USD, "s", "before")])
    await judge.run(at(100))
    gauges = await BurnReports(ledger_pool).gauges(at(100), 600, NO_FILTERS)
    assert gauges.agents == [("default", "agent", 11 * USD // 10), ("default", "unpriced", None)]
    assert gauges.anomalies == [("default", "agent", "warning", 1)]
    assert await BurnReports(ledger_pool).gauges(at(100), 600, Filters(orgs=("other",))) == ([], [])

"""The fastest sessions are the same whether all are summed or only the likely ones, whatever the clocks say."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from burning_world import USD, Spent, calls, spend

from finops.reports import NO_FILTERS, Filters
from ledger.pool import Pool
from ledger.session_heads import SessionHeadsPass, raise_window
from ledger.sessions import SessionReports

SEED = 20261125
ALL = """
select org_id, session_id, agent_id, spend, calls
from (
    select
        org_id, session_id, agent_id, max(last_at) as seen,
        case
            when coalesce(sum(unpriced_calls) filter (where slot > %(since)s), 0)
                < coalesce(sum(calls) filter (where slot > %(since)s), 0)
                or coalesce(sum(calls) filter (where slot > %(since)s), 0) = 0
                then coalesce(sum(cost_pico) filter (where slot > %(since)s), 0)
        end as spend,
        coalesce(sum(calls) filter (where slot > %(since)s), 0) as calls
    from session_slots
    where slot <= %(now)s and calls <> 0
    group by 1, 2, 3
) all_sessions
where seen > %(idle)s
order by spend desc nulls last, seen desc, org_id, session_id, agent_id
"""


@pytest.fixture
async def now(ledger_pool: Pool) -> datetime:
    """A thousand calls of three hundred sessions in an hour around now: some late, some early, some unpriced."""
    chance, moment = random.Random(SEED), datetime.now(UTC).replace(microsecond=0)
    spent = []
    for number in range(1000):
        session = chance.randrange(300)
        at = moment + timedelta(seconds=chance.uniform(-3600, 120 if session % 7 == 0 else 0))
        cost = None if chance.random() < 0.2 else int(chance.lognormvariate(0, 2) * USD / 100)
        spent.append(Spent(at, cost, f"s-{session}", f"a-{session % 5}", f"o-{session % 2}"))
        if number % 250 == 249:
            await spend(ledger_pool, spent)
            spent = []
    return moment


async def summed(pool: Pool, now: datetime, window: int, idle: int = 1800) -> list[tuple[Any, ...]]:
    values = {"now": now, "since": now - timedelta(seconds=window), "idle": now - timedelta(seconds=idle)}
    async with pool.connection() as connection:
        return await (await connection.execute(ALL, values)).fetchall()


async def asked(pool: Pool, now: datetime, window: int, limit: int, offset: int = 0) -> list[tuple[Any, ...]]:
    stated = await SessionReports(pool).active(now, window, 1800, NO_FILTERS, limit=limit, offset=offset)
    return [(s.org_id, s.session_id, s.agent_id, s.spend_pico, s.calls) for s in stated.answer.sessions]


async def test_the_fastest_are_those_of_all(ledger_pool: Pool, now: datetime) -> None:
    await raise_window(ledger_pool, 1800, now)
    await SessionHeadsPass(ledger_pool, 1800, 1800).run(now)
    for seconds in (0, 30, 300, 900):
        later = now + timedelta(seconds=seconds)
        for window in (60, 600, 1800):
            whole = await summed(ledger_pool, later, window)
            assert len(whole) > 50
            for limit in (1, 7, 1000):
                assert await asked(ledger_pool, later, window, limit) == whole[:limit], (SEED, seconds, window, limit)


async def test_pages_put_together_are_the_whole(ledger_pool: Pool, now: datetime) -> None:
    pages = [row for offset in range(0, 400, 20) for row in await asked(ledger_pool, now, 600, 20, offset)]
    assert pages == await summed(ledger_pool, now, 600)


async def test_whoever_has_a_clock_that_is_behind_sees_what_was_then(ledger_pool: Pool, now: datetime) -> None:
    for seconds in (30, 120, 1500):
        before = now - timedelta(seconds=seconds)
        assert await asked(ledger_pool, before, 600, 10) == (await summed(ledger_pool, before, 600))[:10]


async def test_how_many_are_active_is_told_with_the_filter(ledger_pool: Pool, now: datetime) -> None:
    whole = await summed(ledger_pool, now + timedelta(minutes=3), 600)
    stated = await SessionReports(ledger_pool).active(
        now + timedelta(minutes=3), 600, 1800, Filters(agents=("a-1",)), limit=3
    )
    assert stated.answer.active == len([row for row in whole if row[2] == "a-1"])
    assert [row.session_id for row in stated.answer.sessions] == [row[1] for row in whole if row[2] == "a-1"][:3]


async def test_a_late_span_counts_when_it_happened_and_a_future_one_when_its_time_comes(ledger_pool: Pool) -> None:
    now = datetime.now(UTC)
    await spend(ledger_pool, calls(now - timedelta(days=3), 3, 1, 9.0, session="late"))
    await spend(ledger_pool, calls(now + timedelta(minutes=4), 3, 1, 9.0, session="early"))
    assert await asked(ledger_pool, now, 600, 10) == []
    soon = now + timedelta(minutes=5)
    assert await asked(ledger_pool, soon, 600, 10) == [("default", "early", "agent", 27 * USD, 3)]


async def test_a_judge_with_a_short_window_takes_nothing_from_whoever_has_a_long_one(ledger_pool: Pool) -> None:
    now = datetime.now(UTC)
    await spend(ledger_pool, calls(now - timedelta(seconds=300), 3, 1, 9.0, session="minutes ago"))
    for number in range(30):
        await spend(ledger_pool, calls(now - timedelta(seconds=20), 3, 1, 0.1, session=f"now-{number}"))
    await SessionHeadsPass(ledger_pool, 60, 1800).run(now)
    async with ledger_pool.connection() as connection:
        bound = "select spend_bound_pico >= %s from session_heads where session_id = 'minutes ago'"
        assert await (await connection.execute(bound, (27 * USD,))).fetchone() == (True,)
    assert await asked(ledger_pool, now, 600, 1) == [("default", "minutes ago", "agent", 27 * USD, 3)]


async def test_a_session_long_idle_is_forgotten_and_comes_back_whole(ledger_pool: Pool) -> None:
    now = datetime.now(UTC)
    first = now - timedelta(hours=9)
    await spend(ledger_pool, calls(first, 1, 1, 1.0))
    heads = SessionHeadsPass(ledger_pool, 600, 1800)
    await heads.run(now - timedelta(hours=8))
    async with ledger_pool.connection() as connection:
        count = "select count(*)::int from session_heads"
        assert await (await connection.execute(count)).fetchone() == (1,), "not yet"
        await heads.run(now)
        assert await (await connection.execute(count)).fetchone() == (0,)
    await spend(ledger_pool, calls(now, 1, 1, 1.0))
    [session] = (await SessionReports(ledger_pool).active(now, 600, 1800, NO_FILTERS)).answer.sessions
    assert (session.first_seen_at, session.spend_pico) == (first, USD)


async def test_a_judge_whose_clock_runs_ahead_forgets_nobody(ledger_pool: Pool) -> None:
    now = datetime.now(UTC)
    await spend(ledger_pool, calls(now, 3, 1, 1.0))
    await SessionHeadsPass(ledger_pool, 600, 1800).run(now + timedelta(days=2))
    assert await asked(ledger_pool, now + timedelta(seconds=10), 600, 10) == [
        ("default", "session", "agent", 3 * USD, 3)
    ]


@pytest.mark.parametrize("analyzed", [False, True])
async def test_an_append_reads_no_more_than_the_sessions_it_touches(database_url: str, analyzed: bool) -> None:
    add = (
        "insert into session_slots "
        "select 'acme', 's' || n, 'clerk', date_trunc('minute', now()), 1, 5, 0, now(), now() "
        "from generate_series(%s::integer, %s::integer) n "
        "on conflict (org_id, session_id, agent_id, slot) do update set calls = 2"
    )
    read = (
        "select sum(seq_tup_read + idx_tup_fetch) from pg_stat_xact_user_tables "
        "where relname in ('session_slots', 'session_heads')"
    )
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        for first in range(1, 20_001, 500):  # the plans of the trigger are made while there is next to nothing
            await connection.execute(add, (first, first + 499))
        if analyzed:
            await connection.execute("analyze session_slots, session_heads")
        async with connection.transaction():
            before = await (await connection.execute(read)).fetchone()
            await connection.execute(add, (1, 500))
            after = await (await connection.execute(read)).fetchone()
    assert before is not None
    assert after is not None
    assert 0 < after[0] - before[0] < 500 * 20

"""Names of users and sessions that are older than an organisation wants are gone, and every total is what it was."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from conftest import with_role
from erasure_world import (
    NOW,
    NOW_NS,
    OURS,
    SESSION,
    THEIRS,
    USER,
    a_ledger,
    call,
    holding,
    refused,
    said,
    sums_by,
    written,
)
from psycopg.errors import NoDataFound

from finops.spans import SpanClass
from ledger.expiring import RetentionPass
from ledger.pool import EVERYBODY, Pool, pool
from ledger.retention_rules import RetentionRules

TODAY = datetime.now(UTC)
MIDNIGHT = TODAY.replace(hour=0, minute=0, second=0, microsecond=0)
EDGE = datetime(2026, 11, 15, tzinfo=UTC)
LATER = datetime(2026, 11, 21, tzinfo=UTC)
OURS_OLD = "org_id = 'acme' and event_time < '{}'"
NAMED = f"{OURS_OLD} and (user_id in ('bob', %s) or session_id = %s or session_id like 's-%%')"


async def rows(pool: Pool, text: str, values: list[object] | None = None) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(text, values)).fetchall()


@pytest.fixture
async def services(database_url: str) -> AsyncIterator[Pool]:
    """A pool as the judge of the query API has it: its role, speaking for everybody."""
    url = with_role(database_url, "finops_api")
    opened = pool(url, size_max=4, name="test-judge", statement_timeout_ms=60_000, wall=EVERYBODY)
    await opened.open(wait=True)
    yield opened
    await opened.close()


def days_until(edge: datetime) -> int:
    """For so many days names are kept, if everything before the edge is to have lost them today."""
    return (MIDNIGHT - edge).days


async def passed(services: Pool, now: datetime = TODAY) -> int:
    """Slices until nothing is due."""
    judge, slices = RetentionPass(services, lambda: 0.0), 0
    while await judge.slice(now):
        slices += 1
    return slices


async def total(pool: Pool) -> list[list[tuple[Any, ...]]]:
    return [
        await sums_by(pool, name)
        for name in ("agent_id", "date_trunc('day', event_time), user_id", "session_id, trace_id")
    ]


async def named(pool: Pool, edge: datetime) -> tuple[int, int, int]:
    """Entries, spans and slots of ours before the edge that have a name still."""
    [(entries,)] = await rows(pool, f"select count(*) from entries where {NAMED.format(edge)}", [USER, SESSION])
    facts = "(facts::text like %s or facts::text like %s)"
    text = f"select count(*) from spans where {OURS_OLD.format(edge)} and {facts}"
    [(spans,)] = await rows(pool, text, [f"%{USER}%", f"%{SESSION}%"])
    [(slots,)] = await rows(
        pool,
        "select count(*) from session_slots where org_id = 'acme' and slot < %s and session_id = %s",
        [edge, SESSION],
    )
    return entries, spans, slots


async def test_names_before_the_edge_are_gone_and_no_figure_changes(
    ledger_pool: Pool, services: Pool, engine_name: str
) -> None:
    await written(ledger_pool)
    if engine_name == "timescale":
        await rows(ledger_pool, "select compress_chunk(c) from show_chunks('entries') c")
    theirs = await rows(ledger_pool, "select * from entries where org_id = 'zeta' order by 1, 3, 4, 5")
    for edge in (EDGE, LATER):
        before = await total(ledger_pool)
        assert all(await named(ledger_pool, edge))
        await RetentionRules(services).put(OURS, days_until(edge), "ada", TODAY)
        assert await passed(services) > 3
        assert await named(ledger_pool, edge) == (0, 0, 0)
        assert await total(ledger_pool) == before
        assert await holding(ledger_pool) == []
        if edge == EDGE:
            assert all(await named(ledger_pool, LATER))
        [rule] = await RetentionRules(services).all()
        assert (rule.nameless_through, rule.updated_by) == (edge, "ada")
    assert await rows(ledger_pool, "select * from entries where org_id = 'zeta' order by 1, 3, 4, 5") == theirs
    assert await rows(ledger_pool, f"select count(*) from suspense where tenant = '{OURS}'") == [(0,)]
    assert await rows(ledger_pool, f"select count(*) from suspense where tenant = '{THEIRS}'") == [(1,)]
    trail = await rows(
        ledger_pool, "select action, count(*) from audit where action like 'retention.%' group by 1 order by 1"
    )
    assert trail == [("retention.apply", 2), ("retention.put", 2)]


async def test_between_two_slices_the_ledger_holds_and_what_is_cut_off_goes_on(
    ledger_pool: Pool, services: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.expiring.SLICE_SPANS", 6)
    ledger = await written(ledger_pool)
    before = await total(ledger_pool)
    await RetentionRules(services).put(OURS, days_until(LATER), "ada", TODAY)
    judge, slices = RetentionPass(services, lambda: 0.0), 0

    async def dies(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    while True:
        [rule] = await RetentionRules(services).all()
        if slices % 8 == 1 and rule.nameless_through != LATER:
            with monkeypatch.context() as meanwhile:
                meanwhile.setattr("ledger.expiring._keep", dies)
                with pytest.raises(asyncio.CancelledError):
                    await judge.slice(TODAY)
            assert await holding(ledger_pool) == []
        if not await judge.slice(TODAY):
            break
        slices += 1
    await ledger.append([call(4000, -1, own=said(org=THEIRS))], [], NOW_NS)
    assert await named(ledger_pool, LATER) == (0, 0, 0)
    assert await holding(ledger_pool) == []
    assert slices > 20
    assert sum(row[2] for row in (await total(ledger_pool))[0]) == sum(row[2] for row in before[0]) + 1


async def test_what_arrives_late_for_a_time_without_names_loses_its_own_within_the_hour(
    ledger_pool: Pool, services: Pool
) -> None:
    ledger = a_ledger(ledger_pool)
    await ledger.append([call(1, 24 * 6), call(2, 1)], [], NOW_NS)
    await RetentionRules(services).put(OURS, days_until(EDGE), "ada", TODAY)
    await passed(services)
    under = call(3, 24 * 7, own=said(session=None, user=None), parent_id=(4).to_bytes(8))
    arrived = int(TODAY.timestamp()) * 10**9
    await ledger.append([call(5, 24 * 8), under], [], arrived)
    young = call(
        4, 1, trace_id=under.trace_id, span_class=SpanClass.AGENT, usage=None, usage_detail=0, response_id=None
    )
    await ledger.append([young], [], arrived)
    await passed(services, TODAY + timedelta(minutes=30))
    assert (await named(ledger_pool, EDGE))[0] > 0
    await passed(services, TODAY + timedelta(hours=2))
    assert await named(ledger_pool, EDGE) == (0, 0, 0)
    assert await holding(ledger_pool) == []
    kept = await rows(
        ledger_pool, "select session_id, user_id from entries where event_time > %s and calls > 0", [EDGE]
    )
    assert kept == [(SESSION, USER)]


async def test_a_rule_that_was_taken_back_changes_nothing_more_and_none_reaches_beyond_its_days(
    ledger_pool: Pool, services: Pool
) -> None:
    await a_ledger(ledger_pool).append([call(1, 24 * 10), call(2, 1)], refused(), NOW_NS)
    rules = RetentionRules(services)
    await rules.put(OURS, days_until(EDGE), "ada", TODAY)
    await passed(services)
    assert await rules.put(OURS, None, "ada", TODAY) is not None
    assert await rules.put(OURS, None, "ada", TODAY) is None
    assert await passed(services, TODAY + timedelta(days=30)) == 0
    await rules.put(OURS, days_until(EDGE), "ada", TODAY)
    async with services.connection() as connection:
        with pytest.raises(NoDataFound):
            await connection.execute("select expire_names(%s, %s, %s)", [OURS, EDGE, TODAY])
        await connection.rollback()
        with pytest.raises(NoDataFound):
            await connection.execute("select expire_names(%s, %s, %s)", [THEIRS, EDGE - timedelta(days=1), EDGE])
    found = await rows(ledger_pool, "select user_id from entries where event_time > %s", [NOW - timedelta(days=1)])
    assert found == [(USER,)]

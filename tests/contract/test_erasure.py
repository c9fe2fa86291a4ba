"""A person's or a session's identifier is gone from everywhere, and every total is what it was, on every engine."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from conftest import with_role
from erasure_world import (
    BY_SESSION,
    BY_USER,
    NOW,
    NOW_NS,
    OURS,
    SESSION,
    THEIRS,
    USER,
    a_ledger,
    call,
    erased,
    holding,
    places,
    said,
    sums_by,
    written,
)
from psycopg.errors import Error, InsufficientPrivilege, NoDataFound, RaiseException

from finops.erasure import ErasureRefused, ErasureRequest, Kind
from finops.spans import SpanClass
from ledger.append import Ledger
from ledger.erasing import ErasurePass, Erasures
from ledger.pool import EVERYBODY, Pool, pool

COLUMNS = ("user_id", "session_id", "agent_id")
THEIR_TABLES = ("entries", "session_slots", "session_heads", "anomalies", "alerts")
HALFWAY = "select count(*) from entries where org_id = 'acme' and session_id like 'erased-%'"


async def rows(pool: Pool, text: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(text)).fetchall()


async def total(pool: Pool) -> list[list[tuple[Any, ...]]]:
    return [await sums_by(pool, name) for name in COLUMNS]


async def of_theirs(pool: Pool) -> list[list[tuple[Any, ...]]]:
    return [
        await rows(pool, f"select * from {name} where org_id = '{THEIRS}' order by 1, 2, 3, 4, 5")
        for name in THEIR_TABLES
    ]


@pytest.fixture
async def services(database_url: str) -> AsyncIterator[Pool]:
    """A pool as the judge of the query API has it: its role, speaking for everybody."""
    url = with_role(database_url, "finops_api")
    opened = pool(url, size_max=4, name="test-judge", statement_timeout_ms=60_000, wall=EVERYBODY)
    await opened.open(wait=True)
    yield opened
    await opened.close()


async def test_no_table_holds_what_was_erased_and_every_total_is_what_it_was(
    ledger_pool: Pool, services: Pool, database_url: str, engine_name: str
) -> None:
    await written(ledger_pool)
    if engine_name == "timescale":
        packed = await rows(ledger_pool, "select compress_chunk(c) from show_chunks('entries') c")
        assert len(packed) > 10
    assert await holding(ledger_pool) == []
    before, theirs = await total(ledger_pool), await of_theirs(ledger_pool)
    held = await asyncio.to_thread(places, database_url, [USER, SESSION])
    wanted = {"spans", "session_slots", "session_heads", "suspense", "audit", "alert_deliveries", "budget_firings"}
    assert {f"public.{name}" for name in wanted} <= set(held)
    for request in (BY_USER, BY_SESSION):
        await erased(services, request)
        assert await holding(ledger_pool) == []
        assert await total(ledger_pool) == before
    assert await of_theirs(ledger_pool) == theirs
    for request in (BY_USER, BY_SESSION):
        await erased(services, request._replace(org_id=THEIRS))
        assert await holding(ledger_pool) == []
    assert await total(ledger_pool) == before
    assert await asyncio.to_thread(places, database_url, [USER, SESSION]) == {}


async def test_a_run_that_was_cut_off_goes_on_and_in_between_the_ledger_holds(
    ledger_pool: Pool, services: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small steps, each of them begun once by somebody who is cut off before the commit."""
    for name, most in (("SPANS_WALKED", 40), ("TRACES_CHANGED", 7), ("ENTRIES_CHANGED", 11), ("SUSPENSE_WALKED", 2)):
        monkeypatch.setattr(f"ledger.erasing_steps.{name}", most)
    ledger = await written(ledger_pool)
    before, erasures = await total(ledger_pool), Erasures(services)
    erasure_id = await erasures.start(BY_SESSION, NOW, actor="ada", reason="")
    assert await erasures.start(BY_SESSION, NOW, actor="bob", reason="again") == erasure_id
    states, number = set[str](), 1000
    while (found := await erasures.one(UUID(erasure_id))) is not None and found.finished_at is None:
        states.add(found.phase)
        await _cut_off(erasures, erasure_id, monkeypatch)
        await ErasurePass(erasures, lambda: NOW, 1).run(NOW)
        if number % 5 == 0:
            assert await holding(ledger_pool) == []
        number += 1
        await ledger.append([call(number, 0.5)], [], NOW_NS)
    assert states == {"spans", "entries", "suspense", "rest"}
    assert await holding(ledger_pool) == []
    assert number > 1010
    assert await rows(
        ledger_pool, f"select count(*) from entries where session_id = '{SESSION}' and org_id = '{OURS}'"
    ) == [(0,)]
    new = await rows(
        ledger_pool, "select count(*) from spans where get_byte(span_id, 6) = 3 and get_byte(span_id, 7) > 231"
    )
    [(calls,)] = await rows(ledger_pool, HALFWAY)
    assert calls >= new[0][0]
    kept = [row for rows_of in before for row in rows_of]
    now = [row for rows_of in await total(ledger_pool) for row in rows_of]
    assert sum(row[2] for row in now) == sum(row[2] for row in kept) + 3 * (number - 1000)


class CutOff(Exception):
    """The process dies."""


async def _cut_off(erasures: Erasures, erasure_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that does its work and dies before it says how far it has come."""

    async def dies(*_: object) -> None:
        raise CutOff

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("ledger.erasing_steps._keep", dies)
        with pytest.raises(CutOff):
            await erasures.advance(erasure_id, lambda: NOW, 1)


async def test_what_was_on_its_way_gets_the_same_pseudonym_and_what_is_new_does_not(
    ledger_pool: Pool, services: Pool
) -> None:
    ledger = await written(ledger_pool)
    pseudonym = await erased(services, BY_USER)
    others = a_ledger(ledger_pool, writer=2)
    late = [call(2000, 3), call(2001, 2, own=said(user=None), resource=said()), call(2002, 1, tenant=OURS)]
    await ledger.append(late, [], NOW_NS)
    again = await others.append([call(5, 24.0 * 5), call(2000, 3)], [], NOW_NS)
    assert (again.redelivered, again.conflicts) == (2, 0)
    await others.append([call(2003, -1), call(2004, 2, own=said(org=THEIRS))], [], NOW_NS)
    found = await rows(
        ledger_pool,
        "select distinct user_id from entries where trace_id = any(%s)".replace(
            "%s", "array(select decode(lpad(to_hex(n), 32, '0'), 'hex') from generate_series(2000, 2002) n)"
        ),
    )
    assert found == [(pseudonym,)]
    newer = (
        "select count(*) from entries where user_id = '" + USER.replace("'", "''") + "' and org_id = '{}' and calls > 0"
    )
    assert await rows(ledger_pool, newer.format(OURS)) == [(1,)]
    assert await holding(ledger_pool) == []


async def test_a_correction_after_an_erasure_takes_back_what_stands_and_keeps_the_price(
    ledger_pool: Pool, services: Pool
) -> None:
    ledger = a_ledger(ledger_pool)
    below = call(1, 1, own=said(agent=None), parent_id=(2).to_bytes(8))
    await ledger.append([below], [], NOW_NS)
    pseudonym = await erased(services, BY_SESSION)
    run = call(2, 1, trace_id=below.trace_id, span_class=SpanClass.AGENT, usage=None, usage_detail=0, response_id=None)
    await ledger.append([run._replace(own=said(agent="late", session=None))], [], NOW_NS)
    found = await rows(
        ledger_pool, "select revision, session_id, agent_id, calls from entries where calls <> 0 order by 1"
    )
    assert found == [(1, pseudonym, "shop", 1), (2, pseudonym, "shop", -1), (3, pseudonym, "late", 1)]
    assert await holding(ledger_pool) == []


async def test_the_trail_stays_whole_says_who_erased_and_shows_what_was_tampered_with_since(
    ledger_pool: Pool, services: Pool
) -> None:
    await written(ledger_pool)
    await erased(services, BY_USER)
    told = await rows(
        ledger_pool,
        "select action, actor, org_id, reason, after ->> 'kind' from audit where action like 'erasure.%' order by seq",
    )
    assert told == [(action, "ada", OURS, "asked for", "user") for action in ("erasure.start", "erasure.finish")]
    [(redacted,)] = await rows(ledger_pool, "select after -> 'redacted' from audit where action = 'erasure.finish'")
    assert len(redacted) == 2  # the budget's row and the silence's
    async with ledger_pool.connection() as connection:
        await connection.execute("alter table audit disable trigger audit_is_kept")
        await connection.execute(f"update audit set after = '{{}}' where seq = {redacted[0]['seq']}")
        await connection.execute("alter table audit enable trigger audit_is_kept")
    assert [found for found in await holding(ledger_pool) if found.startswith("audit")]


async def test_only_an_open_erasure_lets_a_service_change_anything_and_only_its_identifier(
    ledger_pool: Pool, services: Pool, database_url: str
) -> None:
    await written(ledger_pool)
    async with services.connection() as connection:
        with pytest.raises(NoDataFound):
            await connection.execute("select erase_from_entries(%s, 10)", [uuid4()])
        await connection.rollback()
        for change in ("user_id = 'x'", "cost_pico = 0"):
            with pytest.raises(InsufficientPrivilege):
                await connection.execute(f"update public.entries set {change}")
            await connection.rollback()
    async with ledger_pool.connection() as owner:
        with pytest.raises(RaiseException):
            await owner.execute("update audit set reason = 'another'")
    for role in ("finops_collector", "finops_jobs", "finops_reader"):
        opened = pool(with_role(database_url, role), size_max=1, name=role, statement_timeout_ms=60_000)
        async with opened:
            with pytest.raises(Error):
                await rows(opened, f"select erase_from_entries('{uuid4()}', 10)")


async def test_a_session_that_nobody_named_is_not_erased_and_an_unknown_one_is_kept_out(
    ledger_pool: Pool, services: Pool
) -> None:
    ledger: Ledger = a_ledger(ledger_pool)
    await ledger.append([call(7, 1, own=said(session=None))], [], NOW_NS)
    with pytest.raises(ErasureRefused, match="id of a trace"):
        await Erasures(services).start(
            ErasureRequest(OURS, Kind.SESSION, (7).to_bytes(16).hex()), NOW, actor="ada", reason=""
        )
    pseudonym = await erased(services, BY_SESSION)
    await ledger.append([call(8, 2)], [], NOW_NS)
    found = await rows(ledger_pool, "select session_id from entries order by span_id")
    assert found == [((7).to_bytes(16).hex(),), (pseudonym,)]

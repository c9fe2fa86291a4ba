"""``agent-finops verify``: silent on a sound ledger, and each kind of damage is found by the check there for it."""

import asyncio
import json
import random
import time
from datetime import UTC, datetime
from uuid import UUID

import pytest

from finops.invariants import Check
from finops.spans import Dimensions, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.mapping import ENTRY_COLUMNS
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.retention import retain
from ledger.verify import Sample, verify
from standalone.cli import main

NOW_NS = 1_790_000_000 * 10**9
DAY_NS = 86_400 * 10**9
EVERYTHING = Sample(traces_max=None, seed=1, seconds_max=60)


def call(trace: int, number: int, parent: int = 0) -> SpanRecord:
    return SpanRecord(
        tenant="",
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=parent.to_bytes(8) if parent else b"",
        span_class=SpanClass.CALL,
        start_ns=NOW_NS - number * 10**9,
        end_ns=NOW_NS - number * 10**9 + 5 * 10**8,
        scope="openai",
        service="shop",
        operation="chat",
        provider="openai",
        request_model="gpt-4o-mini" if number % 5 else "nobody-knows-7b",
        response_id=f"chatcmpl-{trace:08d}{number:08d}",
        usage=TokenUsage(input_tokens=1000 + number, output_tokens=10, cached_input_tokens=number),
        usage_detail=3,
    )


def agent(trace: int, number: int) -> SpanRecord:
    named = Dimensions(agent=f"agent-{trace % 3}", session=f"conversation-{trace}")
    return call(trace, number)._replace(
        span_class=SpanClass.AGENT, usage=None, usage_detail=0, response_id=None, own=named
    )


def story() -> list[SpanRecord]:
    """Agents with calls, some of them told twice: once more in a trace of its own by another instrumentation."""
    spans: list[SpanRecord] = []
    for trace in range(1, 13):
        spans.append(agent(trace, 900))
        for number in range(1, 9):
            spans.append(call(trace, number, parent=900))
            if number % 3 == 0:
                copy = spans[-1]._replace(trace_id=(100 + trace).to_bytes(16), parent_id=b"", scope="gateway")
                spans.append(copy)
    return spans


@pytest.fixture
async def kept(ledger_pool: Pool) -> Pool:
    """A ledger with corrections, copies, redelivery and suspense, written by two replicas in a shuffled order."""
    chance = random.Random(7)
    replicas = [
        Ledger(ledger_pool, RateStore(), writer=UUID(int=number), limits=Limits(remembered_spans=50))
        for number in (1, 2)
    ]
    spans = story()
    order = [*spans, *chance.sample(spans, 30)]
    chance.shuffle(order)
    for at in range(0, len(order), 7):
        refused = [Rejected("bad_usage", "input_tokens is -5", bytes([at] * 16), bytes([at] * 8))] if at % 3 else []
        await chance.choice(replicas).append(order[at : at + 7], refused, NOW_NS)
    return ledger_pool


async def checks(pool: Pool, sample: Sample = EVERYTHING) -> list[Check]:
    async with pool.connection() as connection:
        return await verify(connection, sample, time.monotonic)


async def failing(pool: Pool) -> set[str]:
    return {check.invariant.name for check in await checks(pool) if not check.holds}


async def test_a_sound_ledger_holds_and_everything_was_looked_at(kept: Pool) -> None:
    found = await checks(kept)
    assert [check for check in found if not check.holds] == []
    assert {check.invariant.name for check in found if check.checked == 0} == set()


async def test_an_empty_ledger_holds(ledger_pool: Pool) -> None:
    assert await failing(ledger_pool) == set()


PRICED = "(select ctid from entries where cost_pico > 0 and calls = 1 order by span_id, revision limit 1)"
DAMAGES = {
    "a day": (
        "update usage_1d set cost_pico = cost_pico + 1 where calls = (select max(calls) from usage_1d)",
        "usage1d",
    ),
    "a quarter hour": ("delete from usage_15m where calls = (select max(calls) from usage_15m)", "usage15m"),
    "a slot": ("delete from session_slots where calls > 0", "sessionSlots"),
    "arrivals": ("update intake set spans = spans + 1 where outcome = 'redelivered'", "intake"),
    "suspense": ("delete from suspense where id = (select min(id) from suspense)", "intake"),
    "a span": ("delete from spans where verdict = 'billed' and span_id = '\\x0000000000000001'", "standing"),
    "a verdict": ("update spans set verdict = 'duplicate' where verdict = 'agentRun'", "recount"),
    "what is posted": ("update spans set posted = null where verdict = 'agentRun'", "standing"),
    "a sum below zero": (
        "insert into session_slots values ('o', 's', 'a', '2026-09-01', -1, -5, 0, '2026-09-01', '2026-09-01')",
        "notNegative",
    ),
    "a cost": (f"update entries set cost_pico = cost_pico + 1 where ctid = {PRICED}", "lines"),
    "a rate": (
        (
            "update entries set detail = jsonb_set(detail, '{rates,input}', "
            f"to_jsonb((detail #>> '{{rates,input}}')::bigint + 1000)) where ctid = {PRICED}"
        ),
        "lines",
    ),
    "a line and the cost": (
        (
            "update entries set cost_pico = input_tokens + output_tokens + 1, detail = detail - 'rates' || "
            "jsonb_build_object('lines', jsonb_build_array(jsonb_build_object('kind', 'input', 'rateFemto', 1000, "
            "'tokens', input_tokens + output_tokens, 'amountPico', input_tokens + output_tokens + 1))) "
            f"where ctid = {PRICED}"
        ),
        "lines",
    ),
    "tokens": (f"update entries set output_tokens = output_tokens + 1 where ctid = {PRICED}", "lines"),
    "a reversal's money": ("update entries set cost_pico = 0 where calls = -1 and cost_pico < 0", "reversals"),
    "a reversal": ("delete from entries where calls = -1", "standing"),
    "an agent's name": (
        (
            "update entries e set agent_id = 'thief' from spans s "
            "where (e.tenant, e.trace_id, e.span_id, e.revision) = (s.tenant, s.trace_id, s.span_id, s.revision)"
        ),
        "recount",
    ),
}


@pytest.mark.parametrize(("damage", "seen_by"), DAMAGES.values(), ids=DAMAGES)
async def test_damage_is_seen(kept: Pool, damage: str, seen_by: str) -> None:
    await do(kept, damage)
    assert seen_by in await failing(kept)


async def do(pool: Pool, statement: str) -> None:
    async with pool.connection() as connection:
        assert (await connection.execute(statement)).rowcount > 0


async def test_an_entry_twice_at_another_time_is_seen(kept: Pool) -> None:
    columns = ", ".join(["event_time + interval '1 hour'", *ENTRY_COLUMNS[1:]])
    names = ", ".join(ENTRY_COLUMNS)
    await do(kept, f"insert into entries ({names}) select {columns} from entries where ctid = {PRICED}")
    assert {"entriesUnique", "standing", "usage15m", "sessionSlots"} <= await failing(kept)


async def test_what_retention_let_go_is_not_missed(kept: Pool) -> None:
    old = [
        call(500 + number, number)._replace(start_ns=NOW_NS - 50 * DAY_NS, end_ns=NOW_NS - 50 * DAY_NS)
        for number in (1, 2)
    ]
    ledger = Ledger(kept, RateStore(), writer=UUID(int=9), limits=Limits())
    await ledger.append(old, [], NOW_NS - 50 * DAY_NS)
    async with kept.connection() as connection:
        await connection.set_autocommit(True)
        await retain(connection, await detect(connection), datetime.fromtimestamp(NOW_NS // 10**9, UTC), 30)
        left = await (
            await connection.execute(
                "select count(*) from spans where trace_id >= '\\x000000000000000000000000000001f5'"
            )
        ).fetchone()
        await connection.set_autocommit(False)
    assert left == (0,)
    assert await failing(kept) == set()


async def test_a_check_without_time_says_so_and_does_not_hold(kept: Pool) -> None:
    found = await checks(kept, Sample(traces_max=None, seed=1, seconds_max=0))
    assert [check.holds for check in found] == [False] * len(found)
    assert all(check.unfinished and not check.mismatches for check in found)


async def test_the_command_says_what_does_not_hold(
    kept: Pool, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["verify", "--database-url", database_url, "--traces", "all", "--seed", "3"]
    assert await asyncio.to_thread(main, asked) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "seed 3: everything holds"
    await do(kept, "update usage_1d set calls = calls + 1 where calls > 0")
    assert await asyncio.to_thread(main, asked) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "seed 3: does not hold: usage1d"
    assert await asyncio.to_thread(main, [*asked, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in found["checks"] if not check["holds"]] == ["usage1d"]
    assert await asyncio.to_thread(main, [*asked, "--seconds", "0"]) == 1
    assert "out of time" in capsys.readouterr().out

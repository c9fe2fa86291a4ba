"""``agent-finops verify``: silent on a sound ledger, and each kind of damage is found by the check there for it."""

import asyncio
import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from verify_world import DAY_NS, NOW_NS, PRICED, call, checks, do, failing, written

from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.mapping import ENTRY_COLUMNS
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.retention import retain
from ledger.verify import Sample
from standalone.cli import main


@pytest.fixture
async def kept(ledger_pool: Pool) -> Pool:
    """A ledger with some of everything."""
    return await written(ledger_pool)


async def test_a_sound_ledger_holds_and_everything_was_looked_at(kept: Pool) -> None:
    found = await checks(kept)
    assert [check for check in found if not check.holds] == []
    assert {check.invariant.name for check in found if check.checked == 0} == set()


async def test_an_empty_ledger_holds(ledger_pool: Pool) -> None:
    assert await failing(ledger_pool) == set()


DAMAGES = {
    "a day": (
        "update usage_1d set cost_pico = cost_pico + 1 where calls = (select max(calls) from usage_1d)",
        "usage1d",
    ),
    "a quarter hour": ("delete from usage_15m where calls = (select max(calls) from usage_15m)", "usage15m"),
    "a block": ("update usage_blocks set saved_tokens = saved_tokens + 1", "usageBlocks"),
    "a block's row": ("delete from usage_blocks where calls = (select max(calls) from usage_blocks)", "usageBlocks"),
    "a slot": ("delete from session_slots where calls > 0", "sessionSlots"),
    "arrivals": ("update intake set spans = spans + 1 where outcome = 'redelivered'", "intake"),
    "verdicts": ("update verdict_sums set spans = spans + 1 where verdict = 'billed'", "verdictSums"),
    "money of verdicts": ("update verdict_sums set would_cost_pico = would_cost_pico + 1", "verdictSums"),
    "verdicts of nobody": ("insert into verdict_sums values (now(), 'acme', 'link', 0, 0, 3)", "verdictSums"),
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
    lines = capsys.readouterr().out.splitlines()
    numbers = {word for line in lines[:-1] for word in line[5:11].split()}
    assert numbers == {f"I{number}" for number in range(1, 15)}
    assert lines[-1] == "seed 3: everything holds"
    await do(kept, "update usage_1d set calls = calls + 1 where calls > 0")
    assert await asyncio.to_thread(main, asked) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "seed 3: does not hold: usage1d"
    assert await asyncio.to_thread(main, [*asked, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [check["name"] for check in found["checks"] if not check["holds"]] == ["usage1d"]
    assert await asyncio.to_thread(main, [*asked, "--seconds", "0"]) == 1
    assert "out of time" in capsys.readouterr().out

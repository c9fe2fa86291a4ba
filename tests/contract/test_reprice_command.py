"""`agent-finops rates reprice` on a real ledger, killed in the middle as well."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from repricing_world import (
    HOUSE_MODEL,
    NOW,
    NOW_NS,
    a_ledger,
    assert_sums_agree,
    call,
    cost_pico,
    put,
    rows,
    statement,
    strange_call,
)

from ledger.pool import Pool
from ledger.rates import RateStore
from standalone.cli import main

ROOT = Path(__file__).parents[2]
PERIOD = ("--from", "2026-11-20T00:00:00Z", "--to", "2026-11-21T00:00:00Z")
KILLED_CALLS = 6_000
Command = Callable[..., Awaitable[str]]


@pytest.fixture
def rates(database_url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    async def run(*words: str) -> str:
        status = await asyncio.to_thread(main, ["rates", *words, "--database-url", database_url])
        assert status == 0
        return capsys.readouterr().out

    return run


async def test_a_preview_then_the_same_applied_then_nothing(
    rates: Command, ledger_pool: Pool, database_url: str
) -> None:
    store = RateStore()
    await a_ledger(ledger_pool, store).append([call(number) for number in range(1, 9)], [], NOW_NS)
    await put(ledger_pool, store, statement("0.0002"))
    before = await cost_pico(ledger_pool)
    preview = json.loads(await rates("reprice", *PERIOD, "--json"))
    assert await cost_pico(ledger_pool) == before
    applied = json.loads(await rates("reprice", *PERIOD, "--apply", "--reason", "invoice", "--json"))
    assert applied["differenceUsd"] == preview["differenceUsd"] != "0"
    again = json.loads(await rates("reprice", *PERIOD, "--apply", "--json"))
    assert (again["callsTouched"], again["differenceUsd"]) == (0, "0")
    assert await asyncio.to_thread(main, ["verify", "--database-url", database_url]) == 0
    await assert_sums_agree(ledger_pool)
    assert await rows(
        ledger_pool, "select actor, reason from audit where action = 'reprice.finish' order by seq limit 1"
    ) == [("agent-finops rates reprice", "invoice")]


async def test_an_import_prices_the_calls_that_waited_for_it(rates: Command, ledger_pool: Pool, tmp_path: Path) -> None:
    await a_ledger(ledger_pool).append([strange_call(1)], [], NOW_NS)
    file = tmp_path / "rates.csv"
    file.write_text(f"modelId,inputRatePerKTokens,outputRatePerKTokens\n{HOUSE_MODEL},0.001,0.001\n", "utf-8")
    await rates("import", str(file))
    assert await cost_pico(ledger_pool) == (1001 + 10) * 1_000_000
    await assert_sums_agree(ledger_pool)
    assert await rows(ledger_pool, "select actor, subject from audit") == [("agent-finops rates import", HOUSE_MODEL)]


async def test_unpriced_calls_are_priced_when_asked_to_after_the_catalogue_learnt_of_them(
    rates: Command, ledger_pool: Pool
) -> None:
    await a_ledger(ledger_pool).append([strange_call(1)], [], NOW_NS)
    await put(ledger_pool, RateStore(), statement("0.001", HOUSE_MODEL), NOW)
    assert await cost_pico(ledger_pool) == 0
    await rates("reprice", "--unpriced")
    assert await cost_pico(ledger_pool) == 1001 * 1_000_000 + 10 * 10_000_000


async def test_a_run_killed_in_the_middle_goes_on_and_ends_where_an_undisturbed_one_would(
    rates: Command, ledger_pool: Pool, database_url: str
) -> None:
    store = RateStore()
    collector = a_ledger(ledger_pool, store)
    for start in range(1, KILLED_CALLS + 1, 2000):
        await collector.append(
            [call(number, minutes_ago=number % 600) for number in range(start, start + 2000)], [], NOW_NS
        )
    await put(ledger_pool, store, statement("0.0002"))
    preview = json.loads(await rates("reprice", *PERIOD, "--json"))
    before = await cost_pico(ledger_pool)
    words = [sys.executable, "-m", "standalone", "rates", "reprice", *PERIOD, "--apply", "--database-url", database_url]
    process = await asyncio.create_subprocess_exec(
        *words, cwd=ROOT, env=dict(os.environ), stderr=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(60):
        while not await rows(ledger_pool, "select 1 from entries where revision > 1 limit 1"):
            pass
    process.send_signal(signal.SIGKILL)
    await process.wait()
    ((run_id, finished),) = await rows(ledger_pool, "select run_id, finished_at from reprice_runs")
    assert finished is None
    await assert_sums_agree(ledger_pool)
    done = json.loads(await rates("reprice", "--run", str(run_id), "--json"))
    assert {name: done[name] for name in ("calls", "callsTouched", "differenceUsd")} == {
        name: preview[name] for name in ("calls", "callsTouched", "differenceUsd")
    }
    assert done["calls"] == KILLED_CALLS
    await assert_sums_agree(ledger_pool)
    assert await cost_pico(ledger_pool) != before

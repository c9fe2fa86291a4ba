"""The command is killed in the middle of an erasure, and a query API ends what it began."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from erasure_world import BY_USER, NOW_NS, OURS, USER, a_ledger, call, holding, places, sums_by
from integration.test_judge_process import until

from ledger.erasing import ErasurePass, Erasures
from ledger.pool import Pool

ROOT = Path(__file__).parents[2]
CALLS = 2_000


async def test_a_killed_erasure_is_ended_by_the_judge_and_no_total_changes(
    ledger_pool: Pool, database_url: str
) -> None:
    ledger = a_ledger(ledger_pool)
    for at in range(0, CALLS, 1_000):
        await ledger.append([call(number, number / 1_000) for number in range(at, at + 1_000)], [], NOW_NS)
    before = await sums_by(ledger_pool, "user_id")
    words = ["erase", "--org", OURS, "--user", "-", "--apply", "--database-url", database_url]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "standalone", *words, cwd=ROOT, env=dict(os.environ), stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(f"{USER}\n".encode())
    process.stdin.close()
    told = await process.stderr.readline()
    erasure_id = UUID(told.split()[1].rstrip(b";").decode())
    erasures = Erasures(ledger_pool)
    await until(lambda: _has_begun(erasures, erasure_id))
    process.send_signal(signal.SIGKILL)
    assert await process.wait() == -signal.SIGKILL
    half = await erasures.one(erasure_id)
    assert half is not None
    assert half.finished_at is None
    assert await holding(ledger_pool) == []
    judge = ErasurePass(erasures, lambda: datetime.now(UTC))
    while (found := await erasures.one(erasure_id)) is not None and found.finished_at is None:
        await judge.run(datetime.now(UTC))
    assert found is not None
    assert (found.counts["entries"], found.counts["spans"], found.requested_by) == (CALLS, CALLS, "agent-finops erase")
    assert await sums_by(ledger_pool, "user_id") == before
    assert await holding(ledger_pool) == []
    assert await asyncio.to_thread(places, database_url, [USER]) == {}
    assert (await Erasures(ledger_pool).preview(BY_USER)).entries == 0


async def _has_begun(erasures: Erasures, erasure_id: UUID) -> bool:
    found = await erasures.one(erasure_id)
    return found is not None and bool(found.counts.get("spans"))

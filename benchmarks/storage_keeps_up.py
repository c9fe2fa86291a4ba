"""Whether sums keep up with the entries on TimescaleDB: two thousand calls a second, some late, and a frontier to move.

    python -m benchmarks.storage_keeps_up --url URL [--rate 2000] [--seconds 120] [--dense-days 8]

``URL`` is a ledger that `benchmarks.storage` filled. First the quarter hour that ends before now is given as many calls
as two thousand a second make of it, copied from days that are there, so that the frontier passes over it while calls
come in: by the ledger's own append, one in a hundred for a quarter hour materialised already. Told is the lag: how far
`X-Finops-Complete-Through` is behind, asked every second. Exits with 1 where it reached two minutes.
"""

import argparse
import asyncio
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.engine import detect
from ledger.jobs import Jobs, Plan, autocommit
from ledger.mapping import ENTRY_COLUMNS
from ledger.pool import Pool, pool
from ledger.rates import RateStore
from ledger.reading import look
from ledger.refresh import QUARTER, SETTLE, floor

BATCH = 500
LAG_SECONDS_MAX = 120
MODELS = ("gpt-4o-mini", "gpt-4o", "gpt-4.1", "o4-mini")


def now() -> datetime:
    """The time of day."""
    return datetime.now(UTC)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure how sums keep up.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=int, default=2000, help="calls a second")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--dense-days", type=int, default=8, help="days whose calls fill one quarter hour")
    return asyncio.run(run(parser.parse_args()))


async def run(arguments: argparse.Namespace) -> int:
    """Writes, refreshes and looks at the same time."""
    connections = pool(arguments.url, size_max=6, name="bench", statement_timeout_ms=600_000)
    await connections.open(wait=True)
    try:
        async with connections.connection() as connection:
            engine = await detect(connection)
        if engine.keeps_rollups:
            print(f"{engine}: sums are kept by the append, nothing to catch up with")
            return 0
        dense = await fill_quarter(connections, arguments.dense_days)
        print(f"{engine}: a quarter hour of {dense} calls, then {arguments.rate} calls/s", flush=True)
        jobs = asyncio.create_task(Jobs(autocommit(arguments.url), engine, Plan(), now).run())
        looking = asyncio.create_task(lags(connections))
        rate = await write(connections, arguments.rate, arguments.seconds)
        jobs.cancel()
        looking.cancel()
        found, pending = (await asyncio.gather(jobs, looking, return_exceptions=True))[1]  # type: ignore[misc]
    finally:
        await connections.close()
    ordered = sorted(found)
    middle, most = ordered[len(ordered) // 2], ordered[-1]
    print(f"{rate:.0f} calls/s; lag median {middle:.1f} s, most {most:.1f} s; at most {pending} quarter hours pending")
    return 0 if most < LAG_SECONDS_MAX else 1


async def fill_quarter(connections: Pool, days: int) -> int:
    """Copies the calls of ``days`` whole days into the newest quarter hour that will be materialised next."""
    quarter = floor(now() - SETTLE, QUARTER) - QUARTER
    names = ", ".join(ENTRY_COLUMNS[1:])
    copied = 0
    async with connections.connection() as connection:
        await connection.execute("update storage_progress set materialized_through = %s", [quarter])
        for day in range(1, days + 1):
            start = floor(now(), timedelta(days=1)) - timedelta(days=day)
            period = "event_time >= %(start)s and event_time < %(start)s + interval '1 day'"
            moved = f"select %(quarter)s + (event_time - %(start)s) / 96, {names} from entries where {period}"  # noqa: S608
            statement = f"insert into entries (event_time, {names}) {moved}"
            copied += (await connection.execute(statement, {"quarter": quarter, "start": start})).rowcount
    return copied


async def write(connections: Pool, rate: int, seconds: int) -> float:
    """Appends in steps of ``BATCH`` and returns the calls a second that were reached."""
    ledger, chance = Ledger(connections, RateStore(), writer=uuid4(), limits=Limits(20_000)), random.Random(7)
    begun, written = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < seconds:
        if written > passed * rate:
            await asyncio.sleep(written / rate - passed)
        moment = time.time_ns()
        await ledger.append([a_call(moment, chance) for _ in range(BATCH)], [], moment)
        written += BATCH
    return written / (time.monotonic() - begun)


def a_call(moment: int, chance: random.Random) -> SpanRecord:
    """A call that ended now or, one in a hundred, half an hour ago or earlier."""
    end = moment - chance.randrange(10**9)
    if chance.random() < 0.01:
        end -= chance.randrange(1800, 7200) * 10**9
    agent = chance.randrange(200)
    return SpanRecord(
        tenant="",
        trace_id=chance.randbytes(16),
        span_id=chance.randbytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end - 10**9,
        end_ns=end,
        scope="bench",
        own=Dimensions(org=f"org-{agent % 20}", agent=f"agent-{agent}", session=f"session-{chance.randrange(2000)}"),
        service="bench",
        operation="chat",
        provider="openai",
        request_model=chance.choice(MODELS),
        usage=TokenUsage(chance.randrange(100, 9000), chance.randrange(10, 900)),
        usage_detail=2,
    )


async def lags(connections: Pool) -> tuple[list[float], int]:
    """Seconds from complete-through to now, every second until cancelled; and the most quarter hours pending."""
    found, most = [], 0
    try:
        while True:
            async with look(connections) as seen:
                found.append((now() - seen.complete_through).total_seconds())
                most = max(most, seen.pending_ranges)
            await asyncio.sleep(1)
    except asyncio.CancelledError:
        return found, most


if __name__ == "__main__":
    sys.exit(main())

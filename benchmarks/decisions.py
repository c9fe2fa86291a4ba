"""How fast /budgets/decision answers while calls keep arriving, asked in an open loop: what is late counts as late.

    python -m benchmarks.decisions [--calls 100000] [--rate 200] [--seconds 20] [--budgets 30] [--active 500]
        [--pooled]

Fills a fresh ledger on the embedded PostgreSQL with calls of a month, states budgets of every kind, starts a query API
as a process, and asks at a fixed rate for ``--active`` callers at random, each of a session and a user of its own. Half
the time, an append a second adds a hundred calls. Prints the latencies from the moment each question was due; exits
with 1 where the 99th percentile is over 10 ms. Then prints how long lists of these budgets take.
"""

import argparse
import asyncio
import http.client
import json
import platform
import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from benchmarks.burning import TOKEN, query_api
from finops.access import Scope
from finops.budget_periods import PeriodRule, Unit
from finops.budgets import Budget, BudgetScope, Dimension, Mode
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.budgets import BudgetStore
from ledger.migrate import migrate
from ledger.pool import Pool, pool
from ledger.rates import RateStore
from ledger.tokens import register
from standalone.postgres import EmbeddedPostgres

P99_MS_MAX = 10.0
BATCH, DAYS = 5_000, 30
AGENTS, USERS, SESSIONS = 20, 2_000, 5_000
CONNECTIONS = 20
LISTS = 30
RULES = (PeriodRule(Unit.MONTH, "Europe/Berlin"), PeriodRule(Unit.DAY), PeriodRule(Unit.ROLLING, rolling_hours=24))
EACH = (None, Dimension.USER, Dimension.AGENT, Dimension.SESSION, None)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure decisions about budgets.")
    parser.add_argument("--calls", type=int, default=100_000, help="calls in the ledger (default: 100,000)")
    parser.add_argument("--rate", type=int, default=200, help="questions a second (default: 200)")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--budgets", type=int, default=30, help="of which five or so count each caller (default: 30)")
    parser.add_argument("--active", type=int, default=500, help="callers (default: 500)")
    parser.add_argument("--pooled", action="store_true", help="none of the budgets has members")
    told = parser.parse_args()
    print(f"python {platform.python_version()}, {platform.machine()}")
    return asyncio.run(measure(told.calls, told.rate, told.seconds, told.budgets, told.active, pooled=told.pooled))


async def measure(calls: int, rate: int, seconds: int, budgets: int, active: int, *, pooled: bool) -> int:
    """The exit status."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedPostgres() as postgres:
        url = postgres.start(Path(directory), disposable=True)
        await migrate(url)
        connections = pool(url, size_max=4, name="bench", statement_timeout_ms=600_000)
        await connections.open(wait=True)
        try:
            ledger = Ledger(connections, RateStore(), writer=UUID(int=1), limits=Limits(remembered_spans=BATCH))
            await fill(ledger, calls)
            await state(connections, budgets, EACH[:1] if pooled else EACH)
            with query_api(url) as api:
                await asked(api, active, rate, 5)
                quiet = await asked(api, active, rate, seconds)
                adding = asyncio.create_task(add(ledger, calls))
                busy = await asked(api, active, rate, seconds)
                adding.cancel()
                await asyncio.to_thread(lists, api)
        finally:
            await connections.close()
    print(f"{calls} calls, {budgets} budgets, {active} callers, {rate} questions a second for {seconds} s each")
    missed = max(told("nothing arrives", quiet), told("a hundred calls a second arrive", busy)) > P99_MS_MAX
    print("the target is missed" if missed else f"the target is met: p99 within {P99_MS_MAX:g} ms")
    return int(missed)


def lists(api: str) -> None:
    """Prints how long lists of budgets take, over one connection."""
    connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=60)
    for path in ("/api/v1/finops/budgets", "/api/v1/finops/budgets?limit=1000"):
        took = []
        for _ in range(LISTS):
            begun = time.perf_counter()
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            rows = len(json.loads(answer.read())["items"])
            took.append((time.perf_counter() - begun) * 1000)
        told(f"GET {path.rpartition('/')[2]} ({rows} rows)", took)


def told(what: str, milliseconds: list[float]) -> float:
    """One line of the report; the 99th percentile."""
    ordered = sorted(milliseconds)
    shown = [ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.9, 0.99, 1)]
    parts = ", ".join(f"{name} {one:.1f}" for name, one in zip(("p50", "p90", "p99", "max"), shown, strict=True))
    print(f"{what}: {len(ordered)} answers, milliseconds {parts}")
    return shown[2]


async def fill(ledger: Ledger, count: int) -> None:
    """Calls all over the month."""
    now = datetime.now(UTC)
    for start in range(0, count, BATCH):
        batch = [
            a_call(one, now - timedelta(days=DAYS) * (one / count)) for one in range(start, min(start + BATCH, count))
        ]
        await ledger.append(batch, [], time.time_ns())


async def add(ledger: Ledger, first: int) -> None:
    """A hundred calls a second, until it is cancelled."""
    while True:
        await ledger.append([a_call(first + one, datetime.now(UTC)) for one in range(100)], [], time.time_ns())
        first += 100
        await asyncio.sleep(1)


def a_call(number: int, at: datetime) -> SpanRecord:
    """A call that ended then."""
    end = int(at.timestamp() * 1_000_000) * 1000
    return SpanRecord(
        tenant="",
        trace_id=(number + 1).to_bytes(16),
        span_id=(number + 1).to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end - 10**9,
        end_ns=end,
        scope="bench",
        own=Dimensions(
            org="acme",
            team=f"team-{number % 4}",
            agent=f"agent-{number % AGENTS}",
            session=f"session-{number % SESSIONS}",
            user=f"user-{number % USERS}",
        ),
        service="bench",
        operation="chat",
        provider="openai",
        request_model="gpt-4o",
        usage=TokenUsage(1000, 100, 300),
        usage_detail=3,
    )


async def state(connections: Pool, count: int, each: tuple[Dimension | None, ...]) -> None:
    """Budgets of three periods, pooled and for each member, most of them of one agent each."""
    now = datetime.now(UTC)
    for number in range(count):
        agent = None if number < len(each) else (f"agent-{number % AGENTS}",)
        budget = Budget(
            budget_id=str(uuid4()),
            name=f"budget-{number}",
            scope=BudgetScope(org=("acme",), agent=agent),
            each=each[number % len(each)],
            rule=RULES[number % len(RULES)],
            limit_pico=10**15,
            mode=Mode.ENFORCE,
            counted_since=now,
            created_at=now,
            updated_at=now,
            updated_by="bench",
        )
        await BudgetStore(connections).add(budget, count)
    async with connections.connection() as connection:
        await register(connection, name="guard", secret=TOKEN, scopes=[Scope.ADMIN])


async def asked(api: str, active: int, rate: int, seconds: int) -> list[float]:
    """Milliseconds of every answer, from when its question was due."""
    address = urlsplit(api)
    assert address.hostname is not None
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection(address.hostname, address.port))
    chance, begun, tasks = random.Random(rate), time.perf_counter() + 0.1, []
    for number in range(rate * seconds):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(free, question(chance, active), due)))
    found = await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return found


def question(chance: random.Random, active: int) -> bytes:
    """A request about a random caller."""
    number = chance.randrange(active)
    caller = {
        "orgId": "acme",
        "agentId": f"agent-{number % AGENTS}",
        "userId": f"user-{number % USERS}",
        "sessionId": f"session-{number % SESSIONS}",
        "modelId": "gpt-4o",
        "provider": "openai",
        "estimatedInputTokens": 1000,
        "estimatedOutputTokens": 200,
    }
    body = json.dumps(caller).encode()
    head = f"POST /api/v1/finops/budgets/decision HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {TOKEN}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]], request: bytes, due: float
) -> float:
    """One answer's milliseconds."""
    reader, writer = await free.get()
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = next(line for line in head.splitlines() if line.startswith("content-length:"))
    body = await reader.readexactly(int(length.partition(":")[2]))
    free.put_nowait((reader, writer))
    assert head.startswith("http/1.1 200"), body
    return (time.perf_counter() - due) * 1000


if __name__ == "__main__":
    sys.exit(main())

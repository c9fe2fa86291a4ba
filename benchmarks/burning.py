"""A hundred thousand active sessions: the page of the fastest, and the judge's pass over them.

    python -m benchmarks.burning [--sessions 100000] [--calls 10] [--requests 200]

Fills a fresh ledger on the embedded PostgreSQL with sessions of ``--calls`` calls in the last half hour each, fifty of
them runaways; starts a query API with its judge as a process; and prints how long both take. Exits with 1 where a
target is missed.
"""

import argparse
import asyncio
import http.client
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

from finops.access import Scope
from finops.anomaly_rules import Rules
from ledger.anomaly_pass import AnomalyPass
from ledger.baselines import BaselineStore
from ledger.migrate import migrate
from ledger.pool import Pool, pool
from ledger.session_heads import SessionHeadsPass
from ledger.tokens import register
from query_api.judging import JudgePass
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[1]
TOKEN = "benchmark"
AGENTS, RUNAWAYS = 20, 50
PAGE_MS_MAX, PASS_SECONDS_MAX = 150.0, 1.0
"""Targets: 95 % of pages within, and every pass."""
SEEN_SECONDS_MAX = 2.0
"""... and from the commit of a span to its anomaly."""
PASSES = 20
NOTICED = 10
"""Runaways that begin while the judge runs."""
CHUNK = 5_000
"""Sessions written at a time."""
FILL_CALLS = """
create unlogged table made as
select
    'session-' || s as session_id, 'agent-' || mod(s, %(agents)s) as agent_id,
    %(now)s::timestamptz - make_interval(secs => 1 + random() * 1790) as at,
    (exp(random_normal(-0.5, 1)) * case when s <= %(runaways)s then 500000000000 else 5000000000 end)::bigint as cost,
    row_number() over ()
from generate_series(1, %(sessions)s) s, generate_series(1, %(calls)s) c
"""
FILL_ENTRIES = """
insert into entries (
    event_time, tenant, trace_id, span_id, revision, org_id, team_id, agent_id, session_id, user_id, environment,
    service, provider, model_id, operation, calls, agent_runs, tool_calls, input_tokens, cached_input_tokens,
    cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls,
    unmetered_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
)
select
    at, '', decode(lpad(to_hex(row_number), 32, '0'), 'hex'), decode(lpad(to_hex(row_number), 16, '0'), 'hex'), 1,
    'default', '', agent_id, session_id, '', '', 'bench', 'openai', 'gpt-4o', 'chat', 1, 0, 0, 10, 0, 0, 0, 5, 0,
    cost, 0, 0, 0, 0, 0, 0, 0
from made
"""
FILL_SLOTS = """
insert into session_slots
select 'default', session_id, agent_id, date_bin('10 seconds', at, 'epoch'), count(*), sum(cost), 0, min(at), max(at)
from made
where hashtext(session_id) & 15 = %(part)s
group by 2, 3, 4
"""
RUNAWAY = """
insert into session_slots
values (
    'default', %(session)s, 'agent-1', date_bin('10 seconds', now(), 'epoch'), 9, 4000000000000, 0, now(), now()
)
"""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure burn rates and the judge with many active sessions.")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=10, help="calls of each session in half an hour (default: 10)")
    parser.add_argument("--requests", type=int, default=200, help="requests of each kind (default: 200)")
    told = parser.parse_args()
    print(f"python {platform.python_version()}, {platform.machine()}")
    return asyncio.run(measure(told.sessions, told.calls, told.requests))


async def measure(sessions: int, calls: int, requests: int) -> int:
    """The exit status."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedPostgres() as postgres:
        url = postgres.start(Path(directory), disposable=True)
        await migrate(url)
        connections = pool(url, size_max=4, name="bench", statement_timeout_ms=600_000)
        await connections.open(wait=True)
        try:
            now = await filled(connections, sessions, calls)
            slowest = await passes(connections, now)
            with query_api(url) as api:
                seen = sorted([await noticed(connections, api, number) for number in range(NOTICED)])
                print(f"committed to kept by the judge: median {seen[len(seen) // 2]:.2f} s, slowest {seen[-1]:.2f} s")
                slow = pages(api, requests)
        finally:
            await connections.close()
    missed = slowest > PASS_SECONDS_MAX or slow > PAGE_MS_MAX or seen[-1] > SEEN_SECONDS_MAX
    print("a target is missed" if missed else "every target is met")
    return int(missed)


async def filled(connections: Pool, sessions: int, calls: int) -> datetime:
    """Writes everything; returns the instant it all happened before."""
    now, begun = datetime.now(UTC), time.perf_counter()
    for agent in range(AGENTS):
        await BaselineStore(connections).put("", f"agent-{agent}", Decimal("0.1"), "bench")
    async with connections.connection() as connection:
        await register(connection, name="bench", secret=TOKEN, scopes=[Scope.ADMIN])
        values = {"now": now, "sessions": sessions, "calls": calls, "agents": AGENTS, "runaways": RUNAWAYS}
        await connection.execute(FILL_CALLS, values)
        await connection.execute(FILL_ENTRIES)
        for part in range(16):
            await connection.execute(FILL_SLOTS, {"part": part})
        await connection.commit()
        await connection.set_autocommit(True)
        for table in ("entries", "session_slots", "session_heads", "baselines"):
            await connection.execute(f"vacuum analyze {table}")
        await connection.set_autocommit(False)
    told = f"{sessions} active sessions, {calls} calls each in half an hour: written in"
    print(f"{told} {time.perf_counter() - begun:.1f} s", flush=True)
    return now


async def passes(connections: Pool, now: datetime) -> float:
    """Prints the passes of the judge; the seconds of the slowest, the one that opens every anomaly included."""
    every: list[JudgePass] = [AnomalyPass(connections, Rules()), SessionHeadsPass(connections, 600, 1800)]
    slowest = 0.0
    for judge in every:
        took = []
        for _ in range(PASSES):
            begun = time.perf_counter()
            await judge.run(now)
            took.append(time.perf_counter() - begun)
        slowest = max(slowest, *took)
        first, rest = took[0], sorted(took[1:])
        then = f"then median {rest[len(rest) // 2]:.3f} s, slowest {rest[-1]:.3f} s"
        print(f"pass {judge.name}: first {first:.3f} s, {then}", flush=True)
    async with connections.connection() as connection:
        row = await (await connection.execute("select count(*) from anomalies")).fetchone()
    print(f"anomalies open: {row[0] if row else '?'}")
    return slowest


async def noticed(connections: Pool, api: str, number: int) -> float:
    """Seconds from the commit of a runaway's calls until the API shows the anomaly that the judge has kept."""
    session = f"wild-{number}"
    async with connections.connection() as connection:
        await connection.execute(RUNAWAY, {"session": session})
    begun, client = time.perf_counter(), http.client.HTTPConnection(urlsplit(api).netloc, timeout=60)
    while session not in text_of(client, f"/api/v1/finops/anomalies?state=open&sessionId={session}"):
        pass
    return time.perf_counter() - begun


def text_of(client: http.client.HTTPConnection, path: str) -> str:
    """The body of an answer."""
    client.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    return client.getresponse().read().decode()


@contextmanager
def query_api(url: str) -> Iterator[str]:
    """A query API with its judge, as a process; its address."""
    told = {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": url,
        "FINOPS_API": "127.0.0.1:0",
        "FINOPS_COLLECTOR_URL": "off",
        "FINOPS_API_REQUESTS_PER_SECOND": "0",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINOPS_")}
    command = [sys.executable, "-m", "query_api"]
    with subprocess.Popen(command, cwd=ROOT, env=kept | told, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def pages(api: str, requests: int) -> float:
    """Prints how long requests take, over one connection; the 95th percentile of the first page, in milliseconds."""
    connection = http.client.HTTPConnection(urlsplit(api).netloc, timeout=60)
    asked: dict[str, Callable[[], str]] = {
        "burn-rates/active?limit=100": lambda: "",
        "burn-rates/active?limit=100 (page 2)": lambda: cursor(connection),
        "burn-rates/active (1,000 rows)": lambda: "",
        "anomalies/active": lambda: "",
    }
    p95 = {}
    for name, more in asked.items():
        path, after = f"/api/v1/finops/{name.split(' ')[0]}", more()
        took = sorted(ask(connection, path + after)[0] for _ in range(requests))
        p95[name] = took[int(len(took) * 0.95)]
        print(f"GET {name}: median {took[len(took) // 2]:.1f} ms, p95 {p95[name]:.1f} ms", flush=True)
    return p95["burn-rates/active?limit=100"]


def cursor(connection: http.client.HTTPConnection) -> str:
    """The second page's."""
    return f"&cursor={ask(connection, '/api/v1/finops/burn-rates/active?limit=100')[1]}"


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[float, str | None]:
    """Milliseconds, and the cursor of the page after."""
    begun = time.perf_counter()
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == http.HTTPStatus.OK, answer.status
    return (time.perf_counter() - begun) * 1000, answer.headers["X-Next-Cursor"]


if __name__ == "__main__":
    sys.exit(main())

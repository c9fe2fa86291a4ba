"""Every query of every Grafana dashboard over 90 days of 50 agents, on the embedded PostgreSQL or on a server of yours.

    python -m benchmarks.panels [--rounds 20] [--url postgresql://superuser@host/postgres]

Fills a fresh database (quarter hours by ten hours a day, four models an agent, the last day's sessions), asks each
panel in turn as Grafana does, and prints milliseconds at the median and at p95. Exits with 1 where a p95 is over
``--limit-ms``.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

import grafana_macros

from grafana.__main__ import rendered
from ledger.migrate import migrate
from standalone.postgres import EmbeddedPostgres

DATABASE = "finops_bench_panels"
DAYS, AGENTS, ORGS = 90, 50, 5
COUNTS = """
select (select count(*) from spend_15m), (select count(*) from spend_1d), (select count(*) from session_spend)
"""
SPEND = """
insert into {table}
select
    bucket, 'org-' || agent % {orgs}, '', 'agent-' || agent, 'production', 'service-' || agent,
    (array['openai', 'openai', 'anthropic', 'gcp.gemini'])[model],
    (array['gpt-4o-mini', 'gpt-4o', 'claude-sonnet-4-5', 'gemini-2.5-flash'])[model], 'chat',
    20, 4, 9, 24000, 8000, 0, 6800, 500, 123456789012, (agent % 10 = 0)::integer, 0, 0, 20, 0, 0, 2345678901
from generate_series(1, {agents}) agent, generate_series(1, 4) model,
    generate_series(date_trunc('day', now()) - interval '{days} days', now(), interval '{step}') bucket
where '{step}' = '1 day' or extract(hour from bucket) between 8 and 17
"""
ENTRIES = """
insert into entries (
    event_time, tenant, trace_id, span_id, revision, org_id, team_id, agent_id, session_id, user_id, environment,
    service, provider, model_id, operation, calls, agent_runs, tool_calls, input_tokens, cached_input_tokens,
    cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls,
    unmetered_calls, cache_hits,
    cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
)
select
    bucket, '', decode(lpad(to_hex(agent * 4 + model), 32, '0'), 'hex'),
    decode(lpad(to_hex(extract(epoch from bucket)::bigint), 16, '0'), 'hex'), 0, 'org-' || agent % {orgs}, '',
    'agent-' || agent, 'session', '', 'production', 'service-' || agent,
    (array['openai', 'openai', 'anthropic', 'gcp.gemini'])[model],
    (array['gpt-4o-mini', 'gpt-4o', 'claude-sonnet-4-5', 'gemini-2.5-flash'])[model], 'chat',
    20, 4, 9, 24000, 8000, 0, 0, 6800, 500, 123456789012, 0, 0, 0, 20, 0, 0, 2345678901
from generate_series(1, {agents}) agent, generate_series(1, 4) model,
    generate_series(date_trunc('day', now()) - interval '{days} days', now(), interval '15 minutes') bucket
where extract(hour from bucket) between 8 and 17
"""
SESSIONS = """
insert into session_slots
select
    'org-' || agent % {orgs}, 'session-' || agent || '-' || session, 'agent-' || agent, slot, 2, 34567890123, 0, slot,
    slot + interval '9 seconds'
from generate_series(1, {agents}) agent, generate_series(1, 40) session,
    lateral generate_series(
        to_timestamp(floor(extract(epoch from now()) / 10) * 10) - make_interval(mins => session * 36),
        to_timestamp(floor(extract(epoch from now()) / 10) * 10) - make_interval(mins => session * 36 - 10),
        interval '10 seconds'
    ) slot
"""
ANOMALIES = """
insert into anomalies (
    org_id, session_id, agent_id, severity, rule, opened_at, judged_at, closed_at, close_reason, multiplier,
    window_seconds, calls, unpriced_calls, peak_spend_pico, peak_ratio, last_seen_at, top_calls
)
select
    'org-' || n % {orgs}, 'session-' || n, 'agent-' || n % {agents}, 'warning', 'rate',
    now() - n * interval '3 hours', now(), now() - n * interval '3 hours' + interval '20 minutes', 'recovered', 3, 600,
    40, 0, 987654321098, 5.5, now() - n * interval '3 hours', '[]'
from generate_series(1, 700) n
"""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure the panels of the Grafana dashboards.")
    parser.add_argument("--rounds", type=int, default=20, help="times each panel is asked (default: 20)")
    parser.add_argument("--limit-ms", type=float, default=200.0, help="a p95 beyond it fails (default: 200)")
    parser.add_argument("--url", help="a superuser's address of a server (default: the embedded PostgreSQL)")
    arguments = parser.parse_args()
    with ExitStack() as held:
        server = arguments.url or _embedded(held)
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"drop database if exists {DATABASE} with (force)")
            connection.execute(f"create database {DATABASE}")
            held.callback(_drop, server)
        url = server.rpartition("/")[0] + f"/{DATABASE}"
        timescale = fill(url)
        return _measure(url, arguments.rounds, arguments.limit_ms, timescale=timescale)


def _embedded(held: ExitStack) -> str:
    directory = Path(held.enter_context(tempfile.TemporaryDirectory()))
    server = EmbeddedPostgres()
    server.start(directory / "postgres", settings={"fsync": "off"}, disposable=True)
    held.callback(server.stop)
    return server.superuser_url.rpartition("/")[0] + "/postgres"


def _drop(server: str) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"drop database if exists {DATABASE} with (force)")


def fill(url: str) -> bool:
    """Whether the sums are continuous aggregates here; the database is filled and analysed."""
    with psycopg.connect(url, autocommit=True) as connection:
        available = "select from pg_available_extensions where name = 'timescaledb'"
        if connection.execute(available).rowcount:
            connection.execute("create extension if not exists timescaledb")
    asyncio.run(migrate(url))
    numbers = {"agents": AGENTS, "orgs": ORGS, "days": DAYS}
    with psycopg.connect(url, autocommit=True) as connection:
        kind = connection.execute("select relkind from pg_class where oid = 'usage_15m'::regclass").fetchone()
        continuous = kind == ("v",)
        if continuous:
            connection.execute(ENTRIES.format(**numbers))
            for view in ("usage_15m", "usage_1d"):
                connection.execute(f"call refresh_continuous_aggregate('{view}', null, now() - interval '1 hour')")
        else:
            for table, step in (("usage_15m", "15 minutes"), ("usage_1d", "1 day")):
                connection.execute(SPEND.format(table=table, step=step, **numbers))
        for statement in (SESSIONS, ANOMALIES):
            connection.execute(statement.format(**numbers))
        connection.execute("vacuum analyze")
        quarters, days, slots = connection.execute(COUNTS).fetchone() or (0, 0, 0)
    print(f"{quarters} quarter hours, {days} days, {slots} slots of sessions", flush=True)
    return continuous


def _measure(url: str, rounds: int, limit_ms: float, *, timescale: bool) -> int:
    variables = {
        "org": [f"org-{number}" for number in range(ORGS)],
        "agent": [f"agent-{number}" for number in range(1, AGENTS + 1)],
    }
    worst = 0.0
    with psycopg.connect(url, autocommit=True) as connection:
        for name, sql, last in _queries():
            taken = []
            for _ in range(rounds):
                now = datetime.now(UTC)
                start = now - (_duration(last) if last else timedelta(days=DAYS))
                statement = grafana_macros.expand(sql, start, now, variables, timescale=timescale)
                begun = time.perf_counter()
                connection.execute(statement).fetchall()
                taken.append((time.perf_counter() - begun) * 1000)
            p95 = statistics.quantiles(taken, n=20)[-1]
            worst = max(worst, p95)
            print(f"{statistics.median(taken):7.1f} ms  p95 {p95:7.1f} ms  {name}", flush=True)
    print(f"the slowest p95 is {worst:.0f} ms; the limit is {limit_ms:.0f} ms")
    return 0 if worst <= limit_ms else 1


def _queries() -> list[tuple[str, str, str]]:
    """Name, SQL and the range it has of its own, of every panel that asks the ledger, and of every variable."""
    found = []
    for file, text in rendered().items():
        board = json.loads(text)
        found += [
            (f"{file}: ${v['name']}", v["query"], "") for v in board["templating"]["list"] if v["type"] == "query"
        ]
        for panel in board["panels"]:
            sql = [target["rawSql"] for target in panel["targets"] if "rawSql" in target]
            found += [(f"{file}: {panel['title']}", text, panel.get("timeFrom", "")) for text in sql]
    return found


def _duration(text: str) -> timedelta:
    return timedelta(hours=float(text.removesuffix("h")))


if __name__ == "__main__":
    sys.exit(main())

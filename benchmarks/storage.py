"""What reports cost on a ledger of ninety days, beside the same question to the entries themselves; and what it weighs.

    python -m benchmarks.storage [--server URL] [--calls 400000] [--days 90] [--seed 7] [--database NAME]

On the embedded PostgreSQL, or on a server of yours (a superuser's URL; with TimescaleDB preloaded, on that). The calls
are made on the server from the seed, day by day, with their sums refreshed and packed as time would have done. While
history grows the same question about the newest seven days is asked. Every answer is compared with the entries: one
digit that differs, and it exits with 1. ``--database`` names a ledger of an earlier run, to be asked again.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

from psycopg import Connection as PlainConnection

from benchmarks.storage_http import over_http
from benchmarks.storage_world import World, add_day, add_sums, settle
from finops.blocks import pieces
from finops.cost_questions import CostQuestion
from finops.periods import Period, trailing_days
from finops.reports import NO_FILTERS, Filters
from finops.time_windows import TimeWindow
from ledger.block_calendars import ZONES_MAX, build
from ledger.blocks import covered
from ledger.costs import question_values, sums_of
from ledger.engine import Engine, detect
from ledger.jobs import autocommit
from ledger.migrate import migrate
from ledger.pool import Connection, configure
from ledger.reading import Look
from ledger.refresh import SETTLE, refresh
from ledger.reports import period_values, whole
from sql import query
from standalone.postgres import EmbeddedPostgres

ZONE = "Asia/Kolkata"
ONE_ORG = NO_FILTERS._replace(orgs=("org-3",))
CHECKPOINTS = (1, 7, 14, 30, 45, 60, 75, 90)
RAW = """
select {groups}, sum(calls), sum(input_tokens), sum(cached_input_tokens), sum(output_tokens), sum(cost_pico)
from entries
where event_time >= %(start)s and event_time < %(end)s and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by {groups}
"""


class Question(NamedTuple):
    """A report's query, and the same asked of the entries."""

    title: str
    name: str
    values: dict[str, object]
    raw_groups: str
    cost_column: int
    calls_column: int


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure reports and storage.")
    parser.add_argument("--server", default="", help="a superuser's URL; default: the embedded PostgreSQL")
    parser.add_argument("--calls", type=int, default=400_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--repeat", type=int, default=40, help="times each question is asked")
    parser.add_argument("--database", default="", help="a ledger of an earlier run on that server, kept")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = arguments.server or embedded(stack)
        filled = bool(arguments.database)
        name = arguments.database or f"finops_bench_{arguments.seed}_{arguments.calls}"
        url = urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        if not filled:
            fresh(server, name, url)
        return asyncio.run(measure(url, arguments, filled))


def embedded(stack: ExitStack) -> str:
    """A server of this run's own, with fsync."""
    directory = stack.enter_context(tempfile.TemporaryDirectory())
    postgres = stack.enter_context(EmbeddedPostgres())
    postgres.start(Path(directory), settings={"shared_buffers": "1GB", "max_wal_size": "4GB"}, disposable=True)
    return postgres.superuser_url


def fresh(server: str, name: str, url: str) -> None:
    """An empty ledger."""
    with PlainConnection.connect(server, autocommit=True) as connection:
        connection.execute(f'drop database if exists "{name}" with (force)')
        connection.execute(f'create database "{name}"')
        has = connection.execute("select from pg_available_extensions where name = 'timescaledb'").rowcount
    if has:
        with PlainConnection.connect(url, autocommit=True) as connection:
            connection.execute("create extension if not exists timescaledb")
    asyncio.run(migrate(url))


async def measure(url: str, arguments: argparse.Namespace, filled: bool) -> int:
    """Fills, weighs and asks."""
    now = datetime.now(UTC)
    world = World(arguments.calls, arguments.days, arguments.seed, now)
    async with await autocommit(url)() as connection:
        await configure(connection)
        await connection.execute("set statement_timeout = 0")
        engine = await detect(connection)
        print(
            f"{engine}; {world.calls} calls in {world.days} days, {world.agents} agents, seed {world.seed}", flush=True
        )
        if not filled:
            await fill(connection, engine, world)
        await weigh(connection)
        await caught_up(connection, engine, now)
        asked = await questions(connection, now, world.days)
        agree = [await ask(connection, question, arguments.repeat) for question in asked]
    await over_http(url, world.days, arguments.repeat)
    print("every answer equals the entries" if all(agree) else "WRONG: an answer differs from the entries")
    return 0 if all(agree) else 1


async def fill(connection: Connection, engine: Engine, world: World) -> None:
    """Day by day, with the question about the newest week asked again as history grows."""
    rows, writing = 0, 0.0
    for number, day in enumerate(world.day_starts(), start=1):
        begun = time.perf_counter()
        rows += await add_day(connection, world, day)
        if engine.keeps_rollups:
            await add_sums(connection, day)
        writing += time.perf_counter() - begun
        if number in CHECKPOINTS or number % 5 == 0 or number == world.days:
            await settle(connection, engine, world, day + timedelta(days=1))
        if number in CHECKPOINTS:
            week = trailing_days(7, "UTC", day + timedelta(hours=1))
            for title, filters in (("one organisation", ONE_ORG), ("all", NO_FILTERS)):
                times = await asked(connection, "report_trends", await trend_values(connection, week, filters), 15)
                print(f"history {number:>3} days: newest 7 days, {title:<16} {told(times)}", flush=True)
    print(f"filled {rows} calls, {rows / writing:.0f} calls/s", flush=True)


async def weigh(connection: Connection) -> None:
    """Bytes a call, and rows of the sums."""
    statement = """
        select (select count(*) from entries), (select sum(calls) from usage_1d), (select count(*) from usage_1d),
            (select count(*) from usage_15m)
    """
    row = await (await connection.execute(statement)).fetchone()
    assert row is not None
    calls = int(str(row[0]))
    print(f"{calls} entries, {row[1]} calls in usage_1d; usage_1d {row[2]} rows, usage_15m {row[3]} rows")
    sizes = "select pg_total_relation_size('entries'), null, null"
    if (
        await (await connection.execute("select from pg_extension where extname = 'timescaledb'")).fetchone()
        is not None
    ):
        sizes = """
            select hypertable_size('entries'), sum(before_compression_total_bytes)::bigint,
                sum(after_compression_total_bytes)::bigint
            from chunk_columnstore_stats('entries')
        """
    total, before, after = await one(connection, sizes)
    print(f"entries: {total / calls:.1f} bytes a call, indexes included")
    if after:
        packed = """
            select count(*) from entries where event_time < (
                select max(range_end) from timescaledb_information.chunks
                where hypertable_name = 'entries' and is_compressed
            )
        """
        (count,) = await one(connection, packed)
        print(
            f"  of them packed: {count} calls, {before / count:.1f} bytes before, {after / count:.1f} packed",
            flush=True,
        )


async def one(connection: Connection, statement: str, values: Mapping[str, object] | None = None) -> tuple[Any, ...]:
    """The only row."""
    row = await (await connection.execute(statement, values)).fetchone()
    assert row is not None
    return row


async def caught_up(connection: Connection, engine: Engine, now: datetime) -> None:
    """Does what the jobs of the ledger do: refreshes, and sums up what is over, days of a zone included."""
    if not engine.keeps_rollups:
        await refresh(connection, now)
    await connection.execute(query("block_calendar_ask"), {"zone": ZONE, "zones_max": ZONES_MAX})
    begun, made = time.perf_counter(), 0
    while some := await build(connection, engine, now, SETTLE):
        made += some
    await connection.execute("analyze usage_blocks, blocks")
    if made:
        print(f"{made} blocks made in {time.perf_counter() - begun:.1f} s", flush=True)


async def seen(connection: Connection) -> Look:
    """What every report is told."""
    row = await one(connection, query("report_complete_through"), {"speaks_for": None})
    assert row[2] is None or isinstance(row[2], datetime)
    return Look(connection, row[0], row[1], row[2])


async def trend_values(connection: Connection, period: Period, filters: Filters) -> dict[str, object]:
    """As ledger.reports asks."""
    found = await covered(await seen(connection), pieces(period.starts, period.end, period.zone))
    return period_values(period, filters, found) | {"starts": list(period.starts)}


async def questions(connection: Connection, now: datetime, days: int) -> list[Question]:
    """What the targets are about."""
    utc, zoned = trailing_days(days, "UTC", now), trailing_days(days, ZONE, now)
    window = TimeWindow(ZONE, zoned.start, zoned.end)
    ledger = await seen(connection)

    async def costs(steps: tuple[datetime, ...]) -> dict[str, object]:
        asked = CostQuestion(window, frozenset({"agent", "model"}), steps, NO_FILTERS, 1000, True)
        return question_values(asked, await covered(ledger, sums_of(asked)))

    day = "date_bin('1 day', event_time, timestamptz '2000-01-01 00:00:00+00'), org_id, agent_id"
    trends, by_day, group = "report_trends", "report_costs_by_sums", "agent_id, model_id"
    by_model = period_values(utc, NO_FILTERS, await covered(ledger, [whole(utc)]))
    one_org = await trend_values(connection, utc, ONE_ORG)
    everyone, zone_days = [await trend_values(connection, period, NO_FILTERS) for period in (utc, zoned)]
    return [
        Question(f"trends {days} d, one organisation", trends, one_org, day, 9, 3),
        Question(f"trends {days} d, all", trends, everyone, day, 9, 3),
        Question(f"by model {days} d", "report_models", by_model, "provider, model_id", 8, 2),
        Question(f"costs {days} d, {ZONE}", by_day, await costs((zoned.start,)), group, 6, 0),
        Question(f"costs {days} d, {ZONE} by day", by_day, await costs(zoned.starts), group, 6, 0),
        Question(f"trends {days} d, {ZONE}, all", trends, zone_days, day, 9, 3),
    ]


async def asked(connection: Connection, name: str, values: dict[str, object], repeat: int) -> list[float]:
    """Seconds each time, rows fetched; the first time is not counted."""
    times = []
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        await (await connection.execute(query(name), values)).fetchall()
        times.append(time.perf_counter() - begun)
    return times[1:]


async def ask(connection: Connection, question: Question, repeat: int) -> bool:
    """Prints one line; whether the sums of all rows are those of the entries."""
    first = time.perf_counter()
    rows: Sequence[Any] = await (await connection.execute(query(question.name), question.values)).fetchall()
    first = time.perf_counter() - first
    times = await asked(connection, question.name, question.values, repeat if first < 1 else 3)
    begun = time.perf_counter()
    raw_rows: Sequence[Any] = await (
        await connection.execute(RAW.format(groups=question.raw_groups), question.values)
    ).fetchall()
    raw_seconds = time.perf_counter() - begun
    ratio = raw_seconds / statistics.median(times)
    print(
        f"{question.title:<36} {told(times)}  {len(rows):>6} rows; entries {raw_seconds:.2f} s, {ratio:.0f}x",
        flush=True,
    )
    told_once = rows[:1] if question.name == "report_costs_by_sums" else rows  # its rows repeat the sums over all pages
    kept = [(row[question.calls_column], row[question.cost_column]) for row in told_once]
    raw = [(row[-5], row[-1]) for row in raw_rows]
    return totalled(kept) == totalled(raw)


def totalled(rows: Sequence[tuple[Any, Any]]) -> tuple[int, int]:
    """(calls, pico-USD)."""
    return sum(int(calls) for calls, _ in rows), sum(int(cost or 0) for _, cost in rows)


def told(times: Sequence[float]) -> str:
    """Median and 95th percentile."""
    ordered = sorted(times)
    return f"p50 {statistics.median(times) * 1000:8.1f} ms  p95 {ordered[int(len(ordered) * 0.95)] * 1000:8.1f} ms"


if __name__ == "__main__":
    sys.exit(main())

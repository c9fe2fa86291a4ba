"""What a query really reads, as the server explains it, on a ledger of twenty days."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sums_world import NOW, call, ns, refreshed

from finops.spans import Dimensions
from ledger.append import Ledger, Limits
from ledger.jobs import autocommit
from ledger.pool import Connection, Pool, configure
from ledger.rates import RateStore
from ledger.reading import Look
from sql import query


@asynccontextmanager
async def planned(ledger_pool: Pool, database_url: str) -> AsyncIterator[Connection]:
    """A ledger of twenty days with a call an hour, all but the newest materialised; plans never prefer a full scan."""
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    calls = [
        call(hour, NOW - timedelta(hours=hour), own=Dimensions(user=f"user-{hour % 9}")) for hour in range(24 * 20)
    ]
    await ledger.append(calls, [], ns(NOW))
    async with await autocommit(database_url)() as opened:
        await configure(opened)
        await refreshed(opened, NOW)
        await opened.execute("analyze entries")
        await opened.execute("set enable_seqscan = off")
        yield opened


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


async def plan_of(connection: Connection, name: str, values: dict[str, object]) -> list[dict[str, Any]]:
    """What a query really does."""
    cursor = await connection.execute("explain (analyze, timing off, format json) " + query(name), values)
    row = await cursor.fetchone()
    assert row is not None
    plans: Any = row[0] if isinstance(row[0], list) else json.loads(str(row[0]))
    return [node for node in nodes(plans[0]["Plan"]) if node.get("Actual Loops", 0) > 0]


async def scans(connection: Connection, name: str, values: dict[str, object]) -> list[tuple[str, str]]:
    """(relation, index or '') of what a query really reads."""
    read = await plan_of(connection, name, values)
    return [(node["Relation Name"], index_of(node)) for node in read if "Relation Name" in node]


def index_of(node: dict[str, Any]) -> str:
    """The index that a scan goes by; '' where it reads everything."""
    if node["Node Type"] == "Bitmap Heap Scan":
        return next((str(below["Index Name"]) for below in nodes(node) if "Index Name" in below), "")
    return str(node.get("Index Name", ""))


async def older_chunks(connection: Connection, before: datetime) -> set[str]:
    """Chunks of any hypertable that hold nothing newer."""
    row = await (
        await connection.execute("select to_regclass('timescaledb_information.chunks') is not null")
    ).fetchone()
    if row is None or not row[0]:
        return set()
    chunks = "select chunk_name from timescaledb_information.chunks where range_end <= %s"
    return {str(name) for (name,) in await (await connection.execute(chunks, [before])).fetchall()}


async def days_until(connection: Connection) -> datetime | None:
    """Where the sums by day end, as every report is told."""
    row = await (await connection.execute(query("report_complete_through"), {"speaks_for": None})).fetchone()
    assert row is not None
    assert row[2] is None or isinstance(row[2], datetime)
    return row[2]


async def look_of(connection: Connection, until: datetime | None = None) -> Look:
    """What a report sees, where the sums by day are there ``until`` then."""
    return Look(connection, NOW, 0, until)

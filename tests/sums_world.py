"""Calls at any time, and the question whether every sum is the sum of the entries."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from finops.rates import RatePut, stated_from_k_tokens
from finops.reprice_requests import RepriceRequest
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.block_calendars import ZONES_MAX, build
from ledger.engine import detect
from ledger.pool import Connection, Pool
from ledger.rates import RateStore
from ledger.reading import look
from ledger.refresh import SETTLE, refresh
from ledger.reprice import Repricing
from ledger.sums import GROUP_COLUMNS, SUM_COLUMNS
from sql import query

NOW = datetime(2026, 11, 20, 12, 7, tzinfo=UTC)
KEYS = {
    "usage_15m": {"bucket": "date_bin('15 minutes', event_time, 'epoch')"},
    "usage_1d": {"bucket": "date_bin('1 day', event_time, 'epoch')"},
    "usage_blocks": {"starts": "starts", "ends": "ends"},
}
"""Tables of sums, and what their time is made of."""


def call(number: int, ended: datetime, **changes: Any) -> SpanRecord:
    """A call that ended then, of one of five agents and three models."""
    end_ns = int(ended.timestamp()) * 10**9 + number % 1000 * 1000
    record = SpanRecord(
        tenant="",
        trace_id=number.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end_ns - 10**9,
        end_ns=end_ns,
        scope="openai",
        service=f"service-{number % 5}",
        operation="chat",
        provider="openai",
        request_model=("gpt-4o-mini", "gpt-4o", "nobody-knows")[number % 3],
        usage=TokenUsage(input_tokens=1000 + number, output_tokens=number % 17),
        usage_detail=2,
        resource=Dimensions(org=f"org-{number % 2}"),
    )
    return record._replace(**changes)


def agent_above(record: SpanRecord) -> SpanRecord:
    """The agent run that ``record`` turns out to belong to: it takes the call over, as a correction."""
    run = record._replace(span_id=(10**9).to_bytes(8), span_class=SpanClass.AGENT, usage=None, usage_detail=0)
    return run._replace(own=Dimensions(agent="late-agent"), agent_run="late-agent", operation="invoke_agent")


def ns(instant: datetime) -> int:
    """Unix nanoseconds."""
    return int(instant.timestamp()) * 10**9


async def rows(pool: Pool, statement: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def differing(pool: Pool, table: str, entries: str = "entries") -> list[tuple[Any, ...]]:
    """Groups whose sums are not those of ``entries``; every column is compared."""
    groups, keys = ", ".join(GROUP_COLUMNS), ", ".join(KEYS[table])
    summed = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in SUM_COLUMNS)
    nonzero = " or ".join(f"{name} <> 0" for name in SUM_COLUMNS)
    times = ", ".join(f"{made} as {name}" for name, made in KEYS[table].items())
    blocks = " join blocks on event_time >= starts and event_time < ends" if table == "usage_blocks" else ""
    raw = f"select {times}, {groups}, {summed} from {entries} every{blocks} group by {keys}, {groups}"
    kept = f"select {keys}, {groups}, {', '.join(SUM_COLUMNS)} from {table}"
    return await rows(
        pool,
        f"with raw as ({raw}), kept as ({kept}) select * from ("
        "(select * from raw except all select * from kept) union all (select * from kept except all select * from raw)"
        f") different where {nonzero}",
    )


async def assert_exact(pool: Pool, entries: str = "entries") -> None:
    for table in KEYS:
        assert await differing(pool, table, entries) == []


async def refreshed(leader: Connection, now: datetime) -> int:
    """A refresh where there is something to refresh at all."""
    return 0 if (await detect(leader)).keeps_rollups else await refresh(leader, now)


async def built(leader: Connection, now: datetime) -> int:
    """Makes every block that is over by now."""
    engine, made = await detect(leader), 0
    while some := await build(leader, engine, now, SETTLE):
        made += some
    return made


async def wanted(leader: Connection, *zones: str) -> None:
    """Has the days of zones summed up from the next blocks on."""
    for zone in zones:
        await leader.execute(query("block_calendar_ask"), {"zone": zone, "zones_max": ZONES_MAX})


async def freshness(pool: Pool) -> tuple[datetime, int]:
    async with look(pool) as seen:
        return seen.complete_through, seen.pending_ranges


async def repriced(pool: Pool, now: datetime, usd_per_k: Decimal) -> None:
    """States a price of gpt-4o and applies it to everything there is."""
    store = RateStore()
    per_k = stated_from_k_tokens({"inputRatePerKTokens": str(usd_per_k), "outputRatePerKTokens": str(usd_per_k)})
    async with pool.connection() as connection:
        await store.put(connection, RatePut(model_id="gpt-4o", stated=per_k, author="ada", reason="test"), now)
    repricing, run_id = Repricing(pool, store), uuid4()
    everything = RepriceRequest(start=now - timedelta(days=30), end=now + timedelta(days=1))
    await repricing.start(run_id, everything, now, actor="ada", reason="test")
    run = await repricing.advance(run_id, now)
    assert run is not None
    assert run.finished_at is not None

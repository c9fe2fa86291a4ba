"""Calls at any time, and the question whether every sum is the sum of the entries."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from finops.rates import RatePut, stated_from_k_tokens
from finops.reprice_requests import RepriceRequest
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.engine import detect
from ledger.pool import Connection, Pool
from ledger.rates import RateStore
from ledger.reading import look
from ledger.refresh import refresh
from ledger.reprice import Repricing
from ledger.sums import GROUP_COLUMNS, SUM_COLUMNS

NOW = datetime(2026, 11, 20, 12, 7, tzinfo=UTC)
WIDTHS = {"usage_15m": "15 minutes", "usage_1d": "1 day"}


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
    groups, width = ", ".join(GROUP_COLUMNS), WIDTHS[table]
    summed = ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in SUM_COLUMNS)
    nonzero = " or ".join(f"{name} <> 0" for name in SUM_COLUMNS)
    bucket = f"date_bin('{width}', event_time, 'epoch') as bucket"
    raw = f"select {bucket}, {groups}, {summed} from {entries} every group by bucket, {groups}"
    kept = f"select bucket, {groups}, {', '.join(SUM_COLUMNS)} from {table}"
    return await rows(
        pool,
        f"with raw as ({raw}), kept as ({kept}) select * from ("
        "(select * from raw except all select * from kept) union all (select * from kept except all select * from raw)"
        f") different where {nonzero}",
    )


async def assert_exact(pool: Pool, entries: str = "entries") -> None:
    for table in WIDTHS:
        assert await differing(pool, table, entries) == []


async def refreshed(leader: Connection, now: datetime) -> int:
    """A refresh where there is something to refresh at all."""
    return 0 if (await detect(leader)).keeps_rollups else await refresh(leader, now)


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

"""Calls to price again, and sums that have to agree, for the tests of repricing."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from finops.rates import RatePut, stated_from_k_tokens
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
MINUTE_NS = 60 * 10**9
HOUSE_MODEL = "house-7b"


def call(number: int, *, org: str | None = None, minutes_ago: int = 0, **changes: Any) -> SpanRecord:
    """A call with 1000 + number input tokens, 400 of them cached, and 10 output tokens; a trace of its own."""
    end = NOW_NS - minutes_ago * MINUTE_NS
    record = SpanRecord(
        tenant="",
        trace_id=number.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end - 10**9,
        end_ns=end,
        scope="openai",
        own=Dimensions(org=org, agent="clerk", session=f"session-{number % 7}"),
        service="shop",
        operation="chat",
        provider="openai",
        request_model="gpt-4o-mini",
        response_model="gpt-4o-mini-2024-07-18",
        usage=TokenUsage(input_tokens=1000 + number, output_tokens=10, cached_input_tokens=400),
        usage_detail=3,
    )
    return record._replace(**changes)


def strange_call(number: int, **changes: Any) -> SpanRecord:
    """A call of a model nobody has a price for."""
    return call(number, request_model=HOUSE_MODEL, response_model=None, provider="vllm", **changes)


def statement(usd_per_k: str, model_id: str = "gpt-4o-mini", **other: Any) -> RatePut:
    """Input at this price, output at ten times as much, cached as input."""
    output = f"{float(usd_per_k) * 10:.12f}"
    stated = stated_from_k_tokens({"inputRatePerKTokens": usd_per_k, "outputRatePerKTokens": output})
    return RatePut(model_id=model_id, stated=stated, **({"author": "ada", "reason": "contract"} | other))


def a_ledger(pool: Pool, store: RateStore | None = None, writer: int = 1) -> Ledger:
    """A collector's ledger."""
    return Ledger(pool, store or RateStore(), writer=UUID(int=writer), limits=Limits())


async def put(pool: Pool, store: RateStore, rate: RatePut, at: datetime = NOW) -> None:
    """Puts a rate."""
    async with pool.connection() as connection:
        await store.put(connection, rate, at)


async def rows(pool: Pool, statement: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    async with pool.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def ledger_state(pool: Pool) -> list[list[tuple[Any, ...]]]:
    """Everything that a repricing may touch."""
    tables = ("entries", "spans", "usage_15m", "usage_1d", "session_slots", "unpriced", "reprice_runs", "audit")
    return [await rows(pool, f"select * from {table} order by 1, 2, 3, 4, 5") for table in tables]


async def cost_pico(pool: Pool) -> int:
    """What everything costs together."""
    found = await rows(pool, "select coalesce(sum(cost_pico), 0) from entries")
    return int(found[0][0])


async def assert_sums_agree(pool: Pool) -> None:
    """Rollups and slots are sums of entries; what stands is one entry a call; what is unpriced is known as such."""
    names = ("calls", "input_tokens", "cost_pico", "unpriced_calls", "semantic_savings_pico", "prompt_savings_pico")
    measured = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
    by_model = f"select provider, model_id, {measured} from {{}} group by 1, 2 having sum(calls) <> 0 order by 1, 2"
    raw = await rows(pool, by_model.format("entries"))
    for table in ("usage_15m", "usage_1d"):
        assert await rows(pool, by_model.format(table)) == raw
    windows = (
        "select session_id, sum(calls), sum(coalesce(cost_pico, 0)), sum(unpriced_calls) from {} group by 1 "
        "having sum(calls) <> 0 order by 1"
    )
    assert await rows(pool, windows.format("session_slots")) == await rows(pool, windows.format("entries"))
    standing = (
        "select count(*) from spans s where posted is not null and not exists (select from entries e where "
        "e.tenant = s.tenant and e.trace_id = s.trace_id and e.span_id = s.span_id and e.revision = s.revision)"
    )
    assert await rows(pool, standing) == [(0,)]
    waiting = "select coalesce(sum(unpriced_calls - unmetered_calls), 0) from entries where calls <> 0"
    assert await rows(pool, "select count(*) from unpriced") == await rows(pool, waiting)

"""Budgets, and calls that cost what a test says, for the tests of budgets."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from finops.budget_periods import PeriodRule, Unit
from finops.budgets import Budget, BudgetScope
from finops.rates import RatePut, stated_from_k_tokens
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

NOW = datetime(2026, 11, 20, 12, 7, tzinfo=UTC)
USD = 10**12
MODEL = "dollar-model"
"""A token of it costs a dollar, once ``dollar_rates`` was called."""


def a_budget(limit_usd: int = 10, rule: PeriodRule | None = None, **changes: Any) -> Budget:
    """A budget over all calls by calendar day in UTC, stated long ago."""
    stated = NOW - timedelta(days=400)
    budget = Budget(
        budget_id=str(uuid4()),
        name="all",
        scope=BudgetScope(),
        each=None,
        rule=rule or PeriodRule(Unit.DAY),
        limit_pico=limit_usd * USD,
        counted_since=stated,
        created_at=stated,
        updated_at=stated,
        updated_by="ada",
    )
    return budget._replace(**changes)


def spent(number: int, usd: int, at: datetime = NOW, model: str = MODEL, **own: str) -> SpanRecord:
    """A call that cost so many dollars; ``own`` says whose it is."""
    end_ns = int(at.timestamp()) * 10**9 + number % 1000 * 1000
    return SpanRecord(
        tenant="",
        trace_id=number.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end_ns - 10**9,
        end_ns=end_ns,
        scope="openai",
        service="shop",
        operation="chat",
        provider="house",
        request_model=model,
        usage=TokenUsage(input_tokens=usd, output_tokens=0),
        usage_detail=2,
        own=Dimensions(**({"org": "acme", "agent": "clerk", "session": f"session-{number}"} | own)),
    )


async def dollar_rates(pool: Pool) -> None:
    """States the price of ``MODEL``."""
    stated = stated_from_k_tokens({"inputRatePerKTokens": "1000", "outputRatePerKTokens": "1000"})
    async with pool.connection() as connection:
        await RateStore().put(connection, RatePut(model_id=MODEL, stated=stated, author="ada"), NOW)


def a_ledger(pool: Pool, writer: int = 1) -> Ledger:
    """A collector's ledger."""
    return Ledger(pool, RateStore(), writer=UUID(int=writer), limits=Limits())


def ns(instant: datetime) -> int:
    """Unix nanoseconds."""
    return int(instant.timestamp()) * 10**9

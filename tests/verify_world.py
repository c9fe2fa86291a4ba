"""A ledger with some of everything that ``agent-finops verify`` looks at, for its tests."""

import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from finops.invariants import Check
from finops.money import FEMTO_PER_USD
from finops.rates import RatePut, StatedRates
from finops.spans import Dimensions, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.block_calendars import build
from ledger.engine import detect
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.verify import Sample, verify

NOW_NS = 1_790_000_000 * 10**9
NOW = datetime.fromtimestamp(1_790_000_000, UTC)
DAY_NS = 86_400 * 10**9
EVERYTHING = Sample(traces_max=None, seed=1, seconds_max=60)
PRICED = "(select ctid from entries where cost_pico > 0 and calls = 1 order by span_id, revision limit 1)"
ANOMALY = """
insert into anomalies (
    org_id, session_id, agent_id, severity, rule, opened_at, judged_at, closed_at, multiplier, window_seconds, calls,
    unpriced_calls, peak_spend_pico, last_seen_at, top_calls
) values (
    'acme', 's', 'a', 'warning', 'rate', '2026-09-21T14:00Z', '2026-09-21T14:00Z', %s, 3, 600, 1, 0, 5,
    '2026-09-21T14:00Z', '[]'
)
"""
BUDGET = """
insert into budgets (
    budget_id, name, scope, unit, zone, week_starts_on, rolling_hours, limit_pico, thresholds, mode, on_unknown,
    counted_since, created_at, updated_at, updated_by
) values (
    '00000000-0000-0000-0000-000000000001', 'b', '{}', 'day', 'UTC', 1, 0, 1000000, '{5000}', 'tell', 'allow',
    '2026-09-01', '2026-09-01', '2026-09-01', 'somebody'
)
"""
FIRING = """
insert into budget_firings (budget_id, member, period_start, threshold, limit_pico, spent_pico, fired_at)
select budget_id, '', '2026-09-21', 5000, 1000000, %s, '2026-09-21T15:00Z' from budgets
"""


def call(trace: int, number: int, parent: int = 0) -> SpanRecord:
    return SpanRecord(
        tenant="",
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=parent.to_bytes(8) if parent else b"",
        span_class=SpanClass.CALL,
        start_ns=NOW_NS - number * 10**9,
        end_ns=NOW_NS - number * 10**9 + 5 * 10**8,
        scope="openai",
        service="shop",
        operation="chat",
        provider="openai",
        request_model="gpt-4o-mini" if number % 5 else "nobody-knows-7b",
        response_id=f"chatcmpl-{trace:08d}{number:08d}",
        usage=TokenUsage(input_tokens=1000 + number, output_tokens=10, cached_input_tokens=number),
        usage_detail=3,
    )


def agent(trace: int, number: int) -> SpanRecord:
    named = Dimensions(agent=f"agent-{trace % 3}", session=f"conversation-{trace}")
    return call(trace, number)._replace(
        span_class=SpanClass.AGENT, usage=None, usage_detail=0, response_id=None, own=named
    )


def story() -> list[SpanRecord]:
    """Agents with calls, some of them told twice: once more in a trace of its own by another instrumentation.

    One of the traces, and its copies, comes from a sender bound to an organisation.
    """
    spans: list[SpanRecord] = []
    for trace in range(1, 13):
        spans.append(agent(trace, 900))
        for number in range(1, 9):
            spans.append(call(trace, number, parent=900))
            if number % 3 == 0:
                copy = spans[-1]._replace(trace_id=(100 + trace).to_bytes(16), parent_id=b"", scope="gateway")
                spans.append(copy)
    bound = [span._replace(tenant="acme") for span in spans if span.trace_id[-1] in (12, 112)]
    return [*(span for span in spans if span.trace_id[-1] not in (12, 112)), *bound]


async def written(pool: Pool) -> Pool:
    """A ledger with corrections, copies, redelivery and suspense, written by two replicas in a shuffled order."""
    chance = random.Random(7)
    replicas = [
        Ledger(pool, RateStore(), writer=UUID(int=number), limits=Limits(remembered_spans=50)) for number in (1, 2)
    ]
    spans = story()
    order = [*spans, *chance.sample(spans, 30)]
    chance.shuffle(order)
    await told(pool)
    for at in range(0, len(order), 7):
        if at == 49:
            await stated(pool)
        refused = [Rejected("bad_usage", "input_tokens is -5", bytes([at] * 16), bytes([at] * 8))] if at % 3 else []
        await chance.choice(replicas).append(order[at : at + 7], refused, NOW_NS)
        if at == 140:
            await summed_up(pool)
    return pool


async def summed_up(pool: Pool) -> None:
    """Blocks are made while more is still to come for them."""
    async with pool.connection() as connection:
        await connection.set_autocommit(True)
        while await build(connection, await detect(connection), NOW + timedelta(days=8), timedelta(0)):
            pass
        await connection.set_autocommit(False)


async def stated(pool: Pool) -> None:
    """Rates and a deployment are stated, changed and ended between the appends."""
    store = RateStore()
    femto = FEMTO_PER_USD // 10**6
    async with pool.connection() as connection:
        for price in (3, 2):
            rate = RatePut(
                model_id="gpt-4o-mini", provider="openai", stated=StatedRates(input=price * femto, output=7 * femto)
            )
            await store.put(connection, rate, NOW)
        await store.put_deployment(connection, NOW, provider="azure", deployment="ours", model_id="gpt-4o")
        await store.put(connection, replace(rate, provider="", model_id="gone", org_id="acme"), NOW)
        await store.end(connection, NOW, model_id="gone", org_id="acme", author="somebody")


async def told(pool: Pool) -> None:
    """A session that was abnormal twice, and half of a budget."""
    async with pool.connection() as connection:
        for closed_at in ("2026-09-21T15:00Z", None):
            await connection.execute(ANOMALY, [closed_at])
        await connection.execute(BUDGET)
        await connection.execute(FIRING, [500_000])


async def checks(pool: Pool, sample: Sample = EVERYTHING) -> list[Check]:
    async with pool.connection() as connection:
        return await verify(connection, sample, time.monotonic)


async def failing(pool: Pool) -> set[str]:
    return {check.invariant.name for check in await checks(pool) if not check.holds}


async def do(pool: Pool, statement: str) -> None:
    async with pool.connection() as connection:
        cursor = await connection.execute(statement)
        while cursor.nextset():
            pass
        assert cursor.rowcount > 0

"""The ledger on a real database: exactly once, exact sums, the same from any replica and after any restart."""

import random
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from finops.counting import StoredSpan
from finops.spans import AppendOutcome, Dimensions, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger import mapping
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

NOW_NS = 1_790_000_000 * 10**9
GPT_4O_MINI_INPUT_PICO = 150_000
GPT_4O_MINI_OUTPUT_PICO = 600_000


def call(number: int, trace: int = 1, **changes: Any) -> SpanRecord:
    """A call of gpt-4o-mini with 1000 + number input and 10 output tokens."""
    record = SpanRecord(
        tenant="",
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=NOW_NS - 2 * 10**9,
        end_ns=NOW_NS - 10**9,
        scope="openai",
        service="shop",
        operation="chat",
        provider="openai",
        request_model="gpt-4o-mini",
        response_model="gpt-4o-mini-2024-07-18",
        usage=TokenUsage(input_tokens=1000 + number, output_tokens=10),
        usage_detail=2,
    )
    return record._replace(**changes)


def agent(number: int, name: str, trace: int = 1) -> SpanRecord:
    return call(number, trace)._replace(
        span_class=SpanClass.AGENT,
        usage=None,
        usage_detail=0,
        own=Dimensions(agent=name, session="conversation-1"),
        agent_run=name,
        operation="invoke_agent",
    )


@pytest.fixture
def open_ledger(ledger_pool: Pool) -> Callable[..., Ledger]:
    """Makes one more replica over the test's database."""
    replicas = iter(range(1, 100))

    def make(remembered_spans: int = 10_000) -> Ledger:
        limits = Limits(remembered_spans=remembered_spans)
        return Ledger(ledger_pool, RateStore(), writer=UUID(int=next(replicas)), limits=limits)

    return make


async def rows(pool: Pool, statement: str) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute(statement)).fetchall()


async def state(pool: Pool) -> dict[str, list[tuple[Any, ...]]]:
    """Everything a report could read, corrections summed up."""
    sums = (
        "sum(calls), sum(agent_runs), sum(tool_calls), sum(input_tokens), sum(output_tokens), sum(cost_pico), "
        "sum(unpriced_calls)"
    )
    who = "org_id, agent_id, provider, model_id, operation"
    net = "having bool_or(calls <> 0 or agent_runs <> 0 or tool_calls <> 0)"
    return {
        "entries": await rows(
            pool,
            f"select {who}, session_id, {sums} from entries group by {who}, session_id "
            "having sum(calls) <> 0 or sum(agent_runs) <> 0 or sum(tool_calls) <> 0 order by 1, 2, 3, 4, 5, 6",
        ),
        "usage_15m": await rows(
            pool, f"select bucket, {who}, {sums} from usage_15m group by bucket, {who} {net} order by 1, 2, 3, 4, 5, 6"
        ),
        "usage_1d": await rows(
            pool, f"select bucket, {who}, {sums} from usage_1d group by bucket, {who} {net} order by 1, 2, 3, 4, 5, 6"
        ),
        "slots": await rows(
            pool,
            "select org_id, session_id, agent_id, slot, calls, cost_pico from session_slots where calls <> 0 "
            "order by 1, 2, 3, 4",
        ),
    }


async def assert_sums_agree(pool: Pool) -> None:
    names = ("calls", "input_tokens", "cost_pico", "unpriced_calls")
    measured = ", ".join(f"coalesce(sum({name}), 0)" for name in names)
    raw = await rows(pool, f"select {measured} from entries")
    for table in ("usage_15m", "usage_1d"):
        assert await rows(pool, f"select {measured} from {table}") == raw
    windows = await rows(pool, "select coalesce(sum(calls), 0), coalesce(sum(cost_pico), 0) from session_slots")
    assert windows[0] == (raw[0][0], raw[0][2])


async def test_a_call_is_priced_to_the_last_digit(open_ledger: Callable[..., Ledger], ledger_pool: Pool) -> None:
    outcome = await open_ledger().append([call(1)], [], NOW_NS)
    assert outcome == AppendOutcome(received=1, posted=1)
    found = await rows(
        ledger_pool, "select calls, input_tokens, cost_pico, model_id, provider, session_id from entries"
    )
    cost = 1001 * GPT_4O_MINI_INPUT_PICO + 10 * GPT_4O_MINI_OUTPUT_PICO
    assert found == [(1, 1001, cost, "gpt-4o-mini", "openai", (1).to_bytes(16).hex())]
    await assert_sums_agree(ledger_pool)


async def test_a_retried_export_costs_nothing_twice(open_ledger: Callable[..., Ledger], ledger_pool: Pool) -> None:
    ledger = open_ledger()
    batch = [call(number) for number in range(1, 6)]
    await ledger.append(batch, [], NOW_NS)
    before = await state(ledger_pool)
    assert await ledger.append(batch, [], NOW_NS) == AppendOutcome(received=5, redelivered=5)
    assert await open_ledger().append(batch, [], NOW_NS) == AppendOutcome(received=5, redelivered=5)
    assert await state(ledger_pool) == before


async def test_an_agent_that_arrives_late_takes_its_calls_over(
    open_ledger: Callable[..., Ledger], ledger_pool: Pool
) -> None:
    ledger = open_ledger()
    await ledger.append([call(1, parent_id=(9).to_bytes(8))], [], NOW_NS)
    await ledger.append([agent(9, "researcher")], [], NOW_NS)
    found = await rows(
        ledger_pool,
        "select agent_id, session_id, sum(calls), sum(agent_runs) from entries group by 1, 2 "
        "having sum(calls) + sum(agent_runs) <> 0",
    )
    assert found == [("researcher", "conversation-1", 1, 1)]
    revisions = await rows(
        ledger_pool, "select revision, calls, agent_id from entries where calls <> 0 order by revision"
    )
    assert revisions == [(1, 1, "shop"), (2, -1, "shop"), (3, 1, "researcher")]
    await assert_sums_agree(ledger_pool)


async def test_a_parent_that_repeats_its_children_is_taken_back(
    open_ledger: Callable[..., Ledger], ledger_pool: Pool
) -> None:
    ledger = open_ledger()
    total = agent(9, "researcher")._replace(usage=TokenUsage(input_tokens=2003, output_tokens=20), usage_detail=2)
    await ledger.append([total], [], NOW_NS)
    assert (await rows(ledger_pool, "select sum(input_tokens) from entries"))[0][0] == 2003
    await ledger.append([call(n, parent_id=(9).to_bytes(8)) for n in (1, 2)], [], NOW_NS)
    assert (await rows(ledger_pool, "select sum(calls), sum(input_tokens) from entries"))[0] == (2, 2003)
    verdicts = await rows(ledger_pool, "select verdict from spans order by span_id")
    assert verdicts == [("billed",), ("billed",), ("agentRun",)]
    await assert_sums_agree(ledger_pool)


async def test_the_same_span_id_in_two_traces_is_two_calls(
    open_ledger: Callable[..., Ledger], ledger_pool: Pool
) -> None:
    await open_ledger().append([call(1, trace=1), call(1, trace=2)], [], NOW_NS)
    assert (await rows(ledger_pool, "select sum(calls) from entries"))[0] == (2,)


async def test_an_unknown_model_is_unpriced_and_counted(open_ledger: Callable[..., Ledger], ledger_pool: Pool) -> None:
    strange = call(1, request_model="nobody-knows-7b", response_model=None, provider=None)
    silent = call(2, usage=None, usage_detail=0)
    await open_ledger().append([strange, silent], [], NOW_NS)
    found = await rows(
        ledger_pool, "select model_id, cost_pico, unpriced_calls, unmetered_calls, input_tokens from entries order by 4"
    )
    assert found == [("nobody-knows-7b", None, 1, 0, 1001), ("gpt-4o-mini", None, 1, 1, 0)]
    await assert_sums_agree(ledger_pool)


async def test_refused_spans_are_kept_with_their_reason(open_ledger: Callable[..., Ledger], ledger_pool: Pool) -> None:
    refused = Rejected("bad_usage", "input_tokens is -5", (1).to_bytes(16), (7).to_bytes(8))
    outcome = await open_ledger().append([call(1)], [refused], NOW_NS)
    assert outcome == AppendOutcome(received=2, posted=1, suspense=1)
    assert await rows(ledger_pool, "select reason, detail from suspense") == [("bad_usage", "input_tokens is -5")]
    assert await rows(ledger_pool, "select outcome, spans from intake order by 1") == [
        ("posted", 1),
        ("received", 2),
        ("suspense", 1),
    ]


async def test_what_was_stored_comes_back_as_it_was(ledger_pool: Pool, open_ledger: Callable[..., Ledger]) -> None:
    rich = call(
        1,
        own=Dimensions(session="s", user="u"),
        resource=Dimensions(org="acme", environment="prod"),
        flags=("inclusiveAssumed", "partialUsage"),
        response_id="chatcmpl-0123456789",
        cache_hit="semantic",
        service_tier="flex",
        batch=True,
        reported_cost_pico_usd=17,
        tool="t",
        name="chat gpt-4o-mini",
        usage=TokenUsage(1000, 100, 400, 100, 50, 30, 20, 10, 5, 4, 3, 2),
    )
    await open_ledger().append([rich], [], NOW_NS)
    async with ledger_pool.connection() as connection:
        from sql import query

        cursor = await connection.execute(
            query("restore_traces"), {"tenants": [""], "traces": [rich.trace_id]}, binary=True
        )
        found: list[StoredSpan] = [mapping.stored_span_from(row)[1] for row in await cursor.fetchall()]
    assert [item.record for item in found] == [rich]


def story(seed: int) -> list[SpanRecord]:
    """A few traces with agents, tools, calls, copies by id in other traces, and a repeating parent."""
    chance = random.Random(seed)
    spans: list[SpanRecord] = []
    for trace in range(1, 7):
        spans.append(agent(900 + trace, f"agent-{trace % 3}", trace))
        for step in range(1, chance.randint(2, 6)):
            number = trace * 1000 + step
            answer = f"chatcmpl-{number:020d}"
            parent = (900 + trace).to_bytes(8)
            spans.append(call(number, trace, parent_id=parent, response_id=answer))
            if chance.random() < 0.4:
                copy = call(number + 500, trace + 100, response_id=answer, scope="native", usage_detail=3)
                spans.append(copy._replace(usage=spans[-1].usage))
    return spans


async def append_in_pieces(spans: Sequence[SpanRecord], ledgers: Sequence[Ledger], chance: random.Random) -> None:
    order = [*spans, *chance.sample(list(spans), len(spans) // 3)]
    chance.shuffle(order)
    while order:
        size = chance.randint(1, 6)
        await chance.choice(ledgers).append(order[:size], [], NOW_NS)
        del order[:size]


@pytest.mark.parametrize("seed", range(8))
async def test_order_replicas_and_forgetting_change_nothing(
    seed: int, open_ledger: Callable[..., Ledger], ledger_pool: Pool
) -> None:
    spans = story(seed)
    await append_in_pieces(spans, [open_ledger(), open_ledger(remembered_spans=3)], random.Random(seed))
    await assert_sums_agree(ledger_pool)
    pieces = await state(ledger_pool)
    async with ledger_pool.connection() as connection:
        await connection.execute("truncate entries, spans, call_scopes, usage_15m, usage_1d, session_slots, intake")
    await open_ledger().append(spans, [], NOW_NS)
    assert await state(ledger_pool) == pieces


async def test_nothing_but_refused_spans_can_come_first(ledger_pool: Pool, open_ledger: Callable[..., Ledger]) -> None:
    refused = Rejected("bad_usage", "negative", bytes(16), bytes(8))
    assert await open_ledger().append([], [refused], NOW_NS) == AppendOutcome(received=1, suspense=1)
    assert await rows(ledger_pool, "select reason from suspense") == [("bad_usage",)]

"""What is in suspense can be tried again after a fix, counts once, and keeps no text of a prompt."""

import json
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector import normalize_usage
from collector.decode import decode_traces, decode_traces_json
from collector.replay import Replayed, replay
from collector.suspended import with_record
from finops.event_time import split_late
from finops.periods import trailing_days
from finops.reports import Filters
from finops.spans import Rejected
from ledger.append import Ledger, Limits
from ledger.coverage import CoverageReports
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.suspense import Suspense

SECRET = "canary-prompt-8c1f"


def export(*, tokens: int = 1000, span: int = 1, end_ns: int | None = None) -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    for key, value in (("service.name", "shop"), ("process.command_args", SECRET)):
        group.resource.attributes.add(key=key).value.string_value = value
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    call = scope.spans.add(trace_id=b"t" * 16, span_id=span.to_bytes(8), name=f"chat {SECRET}")
    call.end_time_unix_nano = end_ns or time.time_ns()
    call.start_time_unix_nano = call.end_time_unix_nano - 10**9
    words = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini"}
    for key, value in (words | {"gen_ai.input.messages": SECRET, "output.value": SECRET, "other": SECRET}).items():
        call.attributes.add(key=key).value.string_value = value
    for key, count in (("gen_ai.usage.input_tokens", tokens), ("gen_ai.usage.output_tokens", 10)):
        call.attributes.add(key=key).value.int_value = count
    return request.SerializeToString()


def a_ledger(pool: Pool) -> Ledger:
    return Ledger(pool, RateStore(), writer=uuid4(), limits=Limits())


async def suspend(pool: Pool, refused: list[Rejected]) -> None:
    assert [bool(item.body) for item in refused] == [True] * len(refused)
    assert not any(SECRET.encode() in item.body for item in refused)
    await a_ledger(pool).append([], refused, time.time_ns())


async def calls_and_cost(pool: Pool) -> tuple[int, int]:
    async with pool.connection() as connection:
        row = await (await connection.execute("select sum(calls), sum(cost_pico) from entries")).fetchone()
    assert row is not None
    return int(str(row[0] or 0)), int(str(row[1] or 0))


async def listed(pool: Pool) -> list[tuple[str, int, int]]:
    """As /coverage tells: reason, spans, spans that can be tried again."""
    told = await CoverageReports(pool).coverage(trailing_days(2, "UTC", datetime.now(UTC)), Filters())
    return [(row.reason, row.spans, row.replayable_spans) for row in told.answer.suspense]


async def test_a_span_refused_by_an_old_rule_is_counted_once_by_the_new_one(
    ledger_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(normalize_usage, "TOKENS_PER_CALL_MAX", 500)
    found = decode_traces(export(), "", time.time_ns())
    assert [refused.reason for refused in found.rejected] == ["implausible"]
    await suspend(ledger_pool, found.rejected)
    await a_ledger(ledger_pool).append([], [Rejected("invalid_id", "no span id")], time.time_ns())
    assert await listed(ledger_pool) == [("implausible", 1, 1), ("invalid_id", 1, 0)]
    suspense = Suspense(ledger_pool)
    assert await replay(suspense, a_ledger(ledger_pool)) == Replayed(tried=1, refused=1)
    monkeypatch.undo()
    assert await replay(suspense, a_ledger(ledger_pool)) == Replayed(tried=1, posted=1)
    assert await calls_and_cost(ledger_pool) == (1, 1000 * 150_000 + 10 * 600_000)
    assert await replay(suspense, a_ledger(ledger_pool)) == Replayed()
    assert await listed(ledger_pool) == [("invalid_id", 1, 0)]


async def test_a_replay_cut_short_before_it_was_noted_counts_nothing_twice(ledger_pool: Pool) -> None:
    records = decode_traces(export(), "", time.time_ns()).records
    await suspend(ledger_pool, [with_record(Rejected("refused_by_ledger", ""), record) for record in records])
    await a_ledger(ledger_pool).append(records, [], time.time_ns())
    assert await replay(Suspense(ledger_pool), a_ledger(ledger_pool)) == Replayed(tried=1, redelivered=1)
    assert await calls_and_cost(ledger_pool) == (1, 156_000_000)


async def test_a_span_that_came_too_late_keeps_its_own_day(ledger_pool: Pool) -> None:
    old = time.time_ns() - 30 * 86_400 * 10**9
    kept, late = split_late(decode_traces(export(end_ns=old), "", time.time_ns()).records, time.time_ns(), 7)
    assert kept == []
    await suspend(ledger_pool, [with_record(*late[0])])
    assert await replay(Suspense(ledger_pool), a_ledger(ledger_pool), "bad_usage") == Replayed()
    assert await replay(Suspense(ledger_pool), a_ledger(ledger_pool), "too_late") == Replayed(tried=1, posted=1)
    async with ledger_pool.connection() as connection:
        row = await (await connection.execute("select event_time < now() - interval '29 days' from entries")).fetchone()
    assert row == (True,)


def test_what_is_kept_of_a_span_out_of_json_is_refused_for_the_same_reason_again() -> None:
    values: list[dict[str, object]] = [
        {"doubleValue": 12.5}, {"intValue": "-5"}, {"boolValue": True}, {"stringValue": "1e3"}, {"arrayValue": {}}
    ]  # fmt: skip
    usage = [{"key": "gen_ai.usage.input_tokens", "value": value} for value in values]
    for attribute in usage:
        said: list[object] = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}, attribute]
        span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": SECRET, "attributes": said}
        scopes = [{"scope": {"name": "x"}, "spans": [span]}]
        body = json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": scopes}]}).encode()
        (refused,) = decode_traces_json(body, "", 0).rejected
        (again,) = decode_traces(refused.body, "", 0).rejected
        assert (again.reason, again.trace_id) == (refused.reason, refused.trace_id)
        assert SECRET.encode() not in refused.body

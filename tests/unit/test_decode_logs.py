"""Log events of coding agents: one call each, the same however often delivered, never a second copy of a span."""

import json
from typing import Any

import pytest
from otlp_bytes import SPAN, START_NS, TRACE, export, log_record, span

from collector.decode import Decoded, Undecodable, decode_traces
from collector.log_events import decode_logs, decode_logs_json
from finops.counting import CallCounter
from finops.spans import SpanClass, SpanRecord
from finops.usage import TokenUsage

CLAUDE = {
    "event.name": "api_request", "session.id": "s-1", "user.account_uuid": "u-1", "organization.id": "acme",
    "model": "claude-sonnet-4-5", "input_tokens": "100", "output_tokens": "7", "cache_read_tokens": "30",
    "cache_creation_tokens": "20", "cost_usd": "0.0042", "request_id": "req_0123456789abcdef", "speed": "normal",
}  # fmt: skip
CODEX = {
    "event.name": "codex.sse_event", "event.kind": "response.completed", "conversation.id": "c-1", "model": "gpt-5",
    "input_token_count": 100, "output_token_count": 70, "cached_token_count": 30, "reasoning_token_count": 9,
    "tool_token_count": 170,
}  # fmt: skip
GEMINI = {
    "event.name": "gemini_cli.api_response", "session.id": "s-2", "model": "gemini-2.5-pro", "input_token_count": 100,
    "output_token_count": 7, "cached_content_token_count": 30, "thoughts_token_count": 9, "tool_token_count": 11,
    "total_token_count": 127,
}  # fmt: skip
DETAILS = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7, "gen_ai.response.id": "chatcmpl-0123456789",
}  # fmt: skip
EVENT = "gen_ai.client.inference.operation.details"


def logs(*records: bytes, scope: str = "x", **resource: Any) -> Decoded:
    return decode_logs(export(*records, scope=scope, resource=resource), "t", START_NS)


def only(decoded: Decoded) -> SpanRecord:
    assert (len(decoded.records), decoded.rejected) == (1, [])
    return decoded.records[0]


def billed(*decoded: Decoded) -> list[TokenUsage | None]:
    counter = CallCounter()
    for part in decoded:
        for record in part.records:
            if not counter.holds((record.tenant, record.trace_id)):
                counter.restore((record.tenant, record.trace_id), [])
        counter.accept([(record, record.end_ns) for record in part.records])
    return [d.posting.usage for d in counter.decide() if d.posting is not None and d.posting.calls]


@pytest.mark.parametrize(
    ("said", "scope", "provider", "usage"),
    [
        (CLAUDE, "com.anthropic.claude_code.events", "anthropic",
         TokenUsage(150, 7, cached_input_tokens=30, cache_write_tokens=20)),
        (CODEX, "codex_otel", "openai", TokenUsage(100, 70, cached_input_tokens=30, reasoning_tokens=9)),
        (GEMINI, "gemini-cli", "gcp.gemini", TokenUsage(111, 16, cached_input_tokens=30, reasoning_tokens=9)),
    ],
)  # fmt: skip
def test_a_coding_agents_event_is_a_call(said: dict[str, Any], scope: str, provider: str, usage: TokenUsage) -> None:
    call = only(logs(log_record(said), scope=scope))
    assert (call.span_class, call.provider, call.usage, call.tenant) == (SpanClass.CALL, provider, usage, "t")
    assert call.own.session in ("s-1", "c-1", "s-2")


def test_an_event_may_be_named_by_its_field_or_its_body() -> None:
    said = {key: value for key, value in CODEX.items() if key != "event.name"}
    by_field = only(logs(log_record(said, event_name="codex.sse_event")))
    by_body = only(logs(log_record(said, body="codex.sse_event")))
    assert by_field.usage == by_body.usage == only(logs(log_record(CODEX))).usage


def test_claude_codes_event_keeps_its_owner_cost_and_request() -> None:
    call = only(logs(log_record(CLAUDE), scope="com.anthropic.claude_code.events"))
    assert (call.own.org, call.own.user, call.response_id) == ("acme", "u-1", "req_0123456789abcdef")
    assert (call.reported_cost_pico_usd, call.service_tier) == (4_200_000_000, None)


@pytest.mark.parametrize(
    "said",
    [
        CODEX | {"event.kind": "response.output_text.delta"},
        {"event.name": "claude_code.user_prompt", "prompt": "canary"},
        {"event.name": "api_request", "input_tokens": 5, "model": "m"},
        {"input_tokens": 5},
    ],
)
def test_other_log_records_are_passed_over(said: dict[str, Any]) -> None:
    assert logs(log_record(said)) == ([], [])


def test_redelivery_gives_the_same_identity_and_another_event_another() -> None:
    once, again = only(logs(log_record(CODEX))), only(logs(log_record(CODEX)))
    other = only(logs(log_record(CODEX, time_ns=START_NS + 1)))
    assert (once.trace_id, once.span_id) == (again.trace_id, again.span_id)
    assert other.trace_id == once.trace_id
    assert other.span_id != once.span_id


def test_an_event_of_a_span_is_a_copy_and_no_second_call() -> None:
    trace = decode_traces(export(span(DETAILS), scope="x"), "t", 0)
    event = logs(log_record(DETAILS, event_name=EVENT, trace_id=TRACE, span_id=SPAN))
    assert only(event).parent_id == SPAN
    assert billed(trace, event) == billed(event, trace) == billed(event) == [TokenUsage(100, 7)]


def test_two_events_of_one_span_are_one_call() -> None:
    first = logs(log_record(GEMINI, trace_id=TRACE, span_id=SPAN), scope="gemini-cli")
    second = logs(log_record(DETAILS, event_name=EVENT, trace_id=TRACE, span_id=SPAN), scope="x")
    assert len(billed(first, second)) == 1


def test_claude_codes_span_and_event_are_one_call() -> None:
    said = {key: value for key, value in CLAUDE.items() if key != "event.name"} | {"span.type": "llm_request"}
    scope = "com.anthropic.claude_code"
    trace = decode_traces(export(span(said), scope=f"{scope}.tracing"), "t", 0)
    event = logs(log_record(CLAUDE, time_ns=START_NS + 10**9), scope=f"{scope}.events")
    assert billed(trace, event) == [TokenUsage(150, 7, cached_input_tokens=30, cache_write_tokens=20)]


def test_an_event_without_usage_adds_nothing() -> None:
    said = {"gen_ai.operation.name": "chat", "error.type": "timeout"}
    assert logs(log_record(said, event_name=EVENT, trace_id=TRACE, span_id=SPAN)) == ([], [])


def test_an_event_whose_counts_are_no_counts_is_refused() -> None:
    decoded = logs(log_record(CODEX | {"input_token_count": -1}))
    assert [r.reason for r in decoded.rejected] == ["bad_usage"]


def test_openlits_events_repeat_its_spans_and_its_guesses() -> None:
    record = log_record(DETAILS, event_name=EVENT, trace_id=TRACE, span_id=SPAN)
    assert logs(record, scope="openlit.instrumentation.openai") == ([], [])


def test_json_gives_the_same_records() -> None:
    attributes = [
        {"key": key, "value": {"stringValue": value} if isinstance(value, str) else {"intValue": value}}
        for key, value in CODEX.items()
    ]
    record = {"timeUnixNano": str(START_NS), "attributes": attributes, "body": {"stringValue": "x"}}
    document = {"resourceLogs": [{"scopeLogs": [{"scope": {"name": "codex_otel"}, "logRecords": [record]}]}]}
    assert decode_logs_json(json.dumps(document).encode(), "t", 0) == logs(log_record(CODEX), scope="codex_otel")


def test_bytes_that_are_no_logs_are_undecodable() -> None:
    with pytest.raises(Undecodable):
        decode_logs(b"\xff\xff\xff", "", 0)
    with pytest.raises(Undecodable):
        decode_logs_json(b"nope", "", 0)


def test_an_empty_export_of_logs_is_an_empty_answer() -> None:
    assert decode_logs(b"", "", 0) == ([], [])


OURS = {"finops.org": "ours", "finops.agent": "ticket_agent", "finops.session": "ticket-7", "finops.user": "ann"}


def test_what_a_resource_states_in_our_words_goes_before_what_a_coding_agent_says_of_itself() -> None:
    said = CLAUDE | {"query_source": "repl_main_thread"}
    alone = only(logs(log_record(said), scope="com.anthropic.claude_code.events"))
    assert (alone.own.org, alone.own.agent, alone.own.session) == ("acme", "repl_main_thread", "s-1")
    call = only(logs(log_record(said), scope="com.anthropic.claude_code.events", **OURS))
    assert (call.own.org, call.own.agent, call.own.session, call.own.user) == (None, None, None, None)
    assert call.resource == ("ours", None, "ticket_agent", "ticket-7", "ann", None)


def test_a_coding_agent_keeps_what_the_resource_does_not_state_in_our_words() -> None:
    partly = {"finops.org": "ours", "user.id": "somebody"}
    call = only(logs(log_record(CLAUDE), scope="com.anthropic.claude_code.events", **partly))
    assert (call.own.org, call.own.session, call.own.user) == (None, "s-1", "u-1")


def test_our_words_on_the_record_itself_go_before_the_resources() -> None:
    said = CLAUDE | {"finops.org": "theirs", "finops.session": "mine"}
    call = only(logs(log_record(said), scope="com.anthropic.claude_code.events", **OURS))
    assert (call.own.org, call.own.session) == ("theirs", "mine")


@pytest.mark.parametrize("scope", ["x", "langfuse-sdk"])
def test_a_span_of_any_other_program_goes_before_its_resource(scope: str) -> None:
    said = DETAILS | {"organization.id": "customer", "session.id": "s-9", "gen_ai.agent.name": "a", "span.type": "web"}
    call = only(decode_traces(export(span(said), scope=scope, resource=OURS), "t", 0))
    assert (call.own.org, call.own.session, call.own.agent) == ("customer", "s-9", "a")

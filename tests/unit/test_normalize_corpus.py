"""Recordings of real libraries: what is decoded, normalized and counted equals what the model server billed.

``derivable`` in truth.json says what the spans can show. Where it starts with ``full`` everything must be exact; else
nothing may exceed the truth. What single libraries cannot show is listed here with the reason.
"""

import json
import struct
from collections import Counter
from functools import cache
from typing import Any, NamedTuple

import pytest
from corpus_loader import Scenario, libraries, scenarios

from collector import otlp_lite
from collector.decode import decode_traces, decode_traces_json
from collector.log_events import decode_logs
from collector.values import Pair, read_pair
from finops.counting import CallCounter
from finops.postings import Posting
from finops.spans import SpanRecord
from finops.usage import TokenUsage

USAGE_EXCEPTIONS = {
    "langfuse-5.0.4/manual_generation_cost": "a generation written by hand with usage that nobody billed",
    "opentelemetry-instrumentation-google-generativeai-0.62.4/generate_cached_thinking_tooluse":
        "total - input holds thoughts and the prompts of server-side tools, and nothing tells them apart",
}  # fmt: skip
RUN_EXCEPTIONS = {
    "ai-5.0.277": "no span marks an agent",
    "ai-7.0.173": "every generateText is invoke_agent, and none in the legacy form",
    "mlflow-3.17.2": "no span marks an agent unless LangChain names it",
    "openinference-instrumentation-google-genai-1.4.14": "no agent span around automatic function calling",
    "openinference-instrumentation-litellm-0.1.51": "the application's span carries no mark",
    "opentelemetry-instrumentation-genai-openai-1.3b0/redelivered_batch": "the application's span carries no mark",
    "opentelemetry-instrumentation-google-genai-1.3b0": "no agent span around automatic function calling",
    "opentelemetry-instrumentation-google-generativeai-0.62.4": "no agent span around automatic function calling",
    "opentelemetry-instrumentation-openai-agents-0.62.4": "agents of one run stand side by side after a handoff",
}
TOOL_EXCEPTIONS = {
    "mlflow-3.17.2/agent_loop": "the application's spans are not exported",
    "openinference-instrumentation-bedrock-0.1.61/agent_loop": "the application made no tool spans",
    "openinference-instrumentation-google-genai-1.4.14": "no tool spans",
    "openinference-instrumentation-openai-agents-2.6.0": "an agent used as a tool is a tool span",
    "opentelemetry-instrumentation-bedrock-0.62.4": "the application made no tool spans",
    "opentelemetry-instrumentation-botocore-0.66b2": "the application made no tool spans",
    "opentelemetry-instrumentation-genai-bedrock-1.3b0": "the application made no tool spans",
    "opentelemetry-instrumentation-genai-openai-agents-1.3b0": "an agent used as a tool is a tool span",
    "opentelemetry-instrumentation-google-generativeai-0.62.4": "no tool spans",
    "opentelemetry-instrumentation-openai-agents-0.62.4": "an agent used as a tool is a tool span",
    "opentelemetry-instrumentation-openai-agents-v2-0.1.0": "an agent used as a tool is a tool span",
}
SESSION_EXCEPTIONS = {
    "agent-framework-core-1.23.0": "sends the last answer's id as conversation, the session's nowhere",
    "ai-7.0.173": "metadata is not sent",
    "mlflow-3.17.2/agent_loop": "the application's spans are not exported",
    "openinference-instrumentation-openai-agents-2.6.0": "the session is lost",
    "opentelemetry-instrumentation-openai-agents-0.62.4": "the session is lost",
    "opentelemetry-instrumentation-openai-agents-v2-0.1.0": "the session is lost",
}
KINDS = (
    "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_1h_tokens",
    "reasoning_tokens", "input_audio_tokens", "output_audio_tokens",
)  # fmt: skip


class Outcome(NamedTuple):
    """What a recording comes to."""

    records: list[SpanRecord]
    postings: list[Posting]
    flags: set[str]

    @property
    def calls(self) -> list[Posting]:
        return [posting for posting in self.postings if posting.calls]


def outcome(scenario: Scenario, logs: bool = False) -> Outcome:
    return _outcome(scenario.id, logs)


@cache
def _outcome(scenario_id: str, logs: bool) -> Outcome:
    scenario = next(scenario for scenario in scenarios() if scenario.id == scenario_id)
    counter = CallCounter()
    exports = [decode_traces(body, "", 0) for body in scenario.traces]
    exports += [decode_logs(body, "", 0) for body in scenario.logs] if logs else []
    flags: set[str] = set()
    for decoded in exports:
        assert not decoded.rejected
        for record in decoded.records:
            if not counter.holds((record.tenant, record.trace_id)):
                counter.restore((record.tenant, record.trace_id), [])
            flags.update(record.flags)
        counter.accept([(record, record.end_ns or record.start_ns) for record in decoded.records])
    decisions = counter.decide()
    flags.update(decision.verdict for decision in decisions)
    records = [record for decoded in exports for record in decoded.records]
    return Outcome(records, [d.posting for d in decisions if d.posting is not None], flags)


def billed(call: dict[str, Any]) -> TokenUsage:
    """A billed call of truth.json in our terms."""
    if call["embedding_tokens"]:
        return TokenUsage(call["embedding_tokens"])
    given = call.get("billed_input_tokens")
    return TokenUsage(
        call["input_tokens_total"] if given is None else given,
        call["output_tokens_total"],
        call["cache_read_tokens"],
        call["cache_write_5m_tokens"] + call["cache_write_1h_tokens"],
        call["cache_write_1h_tokens"],
        call["reasoning_tokens"],
        call["input_audio_tokens"],
        output_audio_tokens=call["output_audio_tokens"],
    )


def kinds(usage: TokenUsage, *, reasoning: bool) -> tuple[int, ...]:
    return tuple(getattr(usage, kind) for kind in KINDS if reasoning or kind != "reasoning_tokens")


def excused(scenario: Scenario, exceptions: dict[str, str]) -> bool:
    return scenario.id in exceptions or scenario.library in exceptions


def truth_calls(scenario: Scenario) -> list[dict[str, Any]]:
    return [call for call in scenario.truth["billed_calls"] if call["usage_returned"]]


def of(library: str) -> list[Scenario]:
    return [scenario for scenario in scenarios() if scenario.library == library]


@pytest.mark.parametrize("logs", [False, True], ids=["spans", "spans+logs"])
@pytest.mark.parametrize("library", libraries())
def test_what_spans_can_show_is_exact(library: str, logs: bool) -> None:
    for scenario in of(library):
        if not scenario.truth["derivable"].startswith("full") or excused(scenario, USAGE_EXCEPTIONS):
            continue
        reasoning = "reasoning split absent" not in scenario.truth["derivable"]
        wanted = Counter(kinds(billed(call), reasoning=reasoning) for call in truth_calls(scenario))
        calls = outcome(scenario, logs).calls
        got = Counter(kinds(call.usage, reasoning=reasoning) for call in calls if call.usage is not None)
        assert got == wanted, scenario.id
        assert len(calls) == len(scenario.truth["billed_calls"]), scenario.id


@pytest.mark.parametrize("library", libraries())
def test_what_spans_cannot_show_never_exceeds_the_truth(library: str) -> None:
    for scenario in of(library):
        if excused(scenario, USAGE_EXCEPTIONS):
            continue
        wanted = [billed(call) for call in truth_calls(scenario)]
        got = [call.usage for call in outcome(scenario).calls if call.usage is not None]
        for kind in ("input_tokens", "output_tokens"):
            assert sum(getattr(u, kind) for u in got) <= sum(getattr(u, kind) for u in wanted), scenario.id


@pytest.mark.parametrize("library", libraries())
def test_a_model_is_the_one_that_answered_or_was_asked_for(library: str) -> None:
    for scenario in of(library):
        if not scenario.truth["derivable"].startswith("full"):
            continue
        names = {name for call in truth_calls(scenario) for name in (call["model_returned"], call["model_requested"])}
        known = " ".join(sorted(name for name in names if name))
        for call in outcome(scenario).calls:
            model = call.response_model or call.request_model
            assert model is None or model in known, (scenario.id, model, known)


@pytest.mark.parametrize("library", libraries())
def test_agent_runs_tools_and_sessions_are_counted_where_they_are_marked(library: str) -> None:
    for scenario in of(library):
        found = outcome(scenario)
        truth = scenario.truth
        if not excused(scenario, RUN_EXCEPTIONS):
            assert sum(posting.agent_runs for posting in found.postings) == truth["agent_runs"], scenario.id
        if not excused(scenario, TOOL_EXCEPTIONS):
            assert sum(posting.tool_calls for posting in found.postings) == truth["tool_executions"], scenario.id
        if truth["session_ids"] and found.calls and not excused(scenario, SESSION_EXCEPTIONS):
            assert {call.session_id for call in found.calls} == set(truth["session_ids"]), scenario.id


@pytest.mark.parametrize("library", libraries())
def test_the_same_export_as_json_gives_the_same_records(library: str) -> None:
    for scenario in of(library):
        for body in scenario.traces:
            assert decode_traces_json(as_json(body), "", 0) == decode_traces(body, "", 0), scenario.id


def as_json(body: bytes) -> bytes:
    """An export as OTLP/JSON writes it."""
    groups = [
        {"resource": {"attributes": json_attributes(otlp_lite.parse_or_none(otlp_lite.Resource, group.resource))},
         "scopeSpans": [{"scope": json_scope(group.scope), "spans": [json_span(span) for span in group.items]}]}
        for group in otlp_lite.read_groups(body, otlp_lite.TRACES).groups
    ]  # fmt: skip
    return json.dumps({"resourceSpans": groups}).encode()


def json_scope(scope: bytes) -> dict[str, str]:
    message: Any = otlp_lite.parse_or_none(otlp_lite.Scope, scope)
    return {"name": message.name.decode(), "version": message.version.decode()}


def json_span(span: Any) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(), "spanId": span.span_id.hex().upper(), "parentSpanId": span.parent_span_id.hex(),
        "name": span.name.decode(), "startTimeUnixNano": str(span.start_time_unix_nano),
        "endTimeUnixNano": span.end_time_unix_nano, "attributes": json_attributes(span),
        "status": {"code": span.status.code},
    }  # fmt: skip


def json_attributes(message: Any) -> list[dict[str, Any]]:
    pairs = [read_pair(pair) for pair in message.attributes]
    return [{"key": pair.key.decode(), "value": json_value(pair)} for pair in pairs if pair is not None]


def json_value(pair: Pair) -> dict[str, Any]:
    content = pair.content
    if pair.field == 1 and isinstance(content, bytes):
        return {"stringValue": content.decode()}
    if pair.field == 4 and isinstance(content, bytes):
        return {"doubleValue": struct.unpack("<d", content)[0]}
    if pair.field in (2, 3):
        return {"boolValue": bool(content)} if pair.field == 2 else {"intValue": str(content)}
    return {}


def test_no_text_of_a_prompt_or_an_answer_is_in_any_record() -> None:
    for scenario in scenarios():
        for record in outcome(scenario, True).records:
            said = repr(record).lower()
            assert not any(text in said for text in ("weather in", "sunny", "long long")), scenario.id


def test_the_archive_holds_every_recording() -> None:
    found = scenarios()
    assert (len(found), len(libraries())) == (718, 51)
    assert sum(len(scenario.traces) for scenario in found) == 699
    assert all(json.dumps(scenario.truth) for scenario in found)

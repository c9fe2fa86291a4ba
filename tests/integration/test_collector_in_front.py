"""otel-config.yaml in the real OpenTelemetry Collector: every recording of a real library passes through it.

What the receiver gets must count exactly as what was sent, and no text of a prompt or an answer may be in it.
"""

import json
import subprocess
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import otelcol_process
import pytest
from corpus_loader import Scenario, scenarios
from counting_world import World
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from collector import in_front
from collector.decode import decode_traces
from collector.log_events import decode_logs
from finops.spans import SpanRecord

RECEIVED_NS = 1_800_000_000 * 10**9
TEXT_CHARACTERS_MIN = 12
"""Shorter texts are names, words and numbers, which may pass."""
NAMES = {"weather agent"}
"""What an agent is called may pass wherever else it is written."""
CONTENT = (
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt", "gen_ai.completion", "gen_ai.tool.call.result",
    "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "input.value", "output.value", "llm.input_messages",
    "llm.output_messages", "ai.prompt", "ai.response.text", "traceloop.entity", "mlflow.span", "request_data",
    "response_data", "langfuse.observation.input", "langfuse.observation.output", "gcp.vertex.agent.llm_",
)  # fmt: skip


class Received(NamedTuple):
    """The exports that came out of the Collector."""

    traces: list[bytes]
    logs: list[bytes]


class Receiver:
    """An OTLP/gRPC server that keeps what it gets."""

    def __init__(self) -> None:
        self.got = Received([], [])
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.max_receive_message_length", -1)])
        self._server.add_generic_rpc_handlers(
            tuple(
                grpc.method_handlers_generic_handler(
                    f"opentelemetry.proto.collector.{signal}.v1.{service}",
                    {"Export": grpc.unary_unary_rpc_method_handler(self._keeper(kept, answer))},
                )
                for signal, service, kept, answer in (
                    ("trace", "TraceService", self.got.traces, ExportTraceServiceResponse()),
                    ("logs", "LogsService", self.got.logs, ExportLogsServiceResponse()),
                )
            )
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    @staticmethod
    def _keeper(kept: list[bytes], answer: Any) -> Any:
        def keep(body: bytes, context: Any) -> bytes:
            kept.append(body)
            return bytes(answer.SerializeToString())

        return keep

    def stop(self) -> None:
        self._server.stop(5).wait()


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Received]:
    """What came out after every recording went in, over HTTP."""
    receiver = Receiver()
    directory = tmp_path_factory.mktemp("otelcol")
    otelcol = otelcol_process.start(directory, FINOPS_RECEIVER=f"127.0.0.1:{receiver.port}")
    try:
        for scenario in scenarios():
            for body in scenario.traces:
                post(otelcol, "traces", body)
            for body in scenario.logs:
                post(otelcol, "logs", body)
        post(otelcol, "traces", plain_spans())
        drain(otelcol)
        yield receiver.got
    finally:
        otelcol.stop()
        receiver.stop()


def plain_spans() -> bytes:
    """Spans of a program around its agent; their names say what becomes of them."""
    export = ExportTraceServiceRequest()
    scope = export.resource_spans.add().scope_spans.add()
    for number, (name, kind, said) in enumerate(
        (
            ("kept: a request", Span.SPAN_KIND_SERVER, {"http.request.method": "POST"}),
            ("kept: another service", Span.SPAN_KIND_CLIENT, {"http.request.method": "POST"}),
            ("kept: says nothing", Span.SPAN_KIND_INTERNAL, {}),
            ("kept: a vector database", Span.SPAN_KIND_CLIENT, {"db.system": "chroma"}),
            ("kept: embeds", Span.SPAN_KIND_CLIENT, {"db.system": "postgresql", "gen_ai.operation.name": "embeddings"}),
            ("left out: query", Span.SPAN_KIND_CLIENT, {"db.system": "postgresql", "db.statement": "select 1"}),
            ("left out: newer words", Span.SPAN_KIND_CLIENT, {"db.system.name": "microsoft.sql_server"}),
        ),
        start=1,
    ):
        span = scope.spans.add(trace_id=b"p" * 16, span_id=bytes([number] * 8), name=name, kind=kind)
        for key, value in said.items():
            span.attributes.add(key=key).value.string_value = value
    return export.SerializeToString()


def post(otelcol: otelcol_process.Otelcol, signal: str, body: bytes) -> None:
    request = urllib.request.Request(
        f"http://{otelcol.http}/v1/{signal}", body, {"Content-Type": "application/x-protobuf"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def drain(otelcol: otelcol_process.Otelcol) -> None:
    """Waits until all that was accepted and not left out has been sent."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if otelcol.metric("otelcol_exporter_queue_size") == 0 and otelcol.metric("otelcol_exporter_sent_spans") > 0:
            return
        time.sleep(0.1)
    raise AssertionError("the queue is not empty after a minute")


def decoded(received: Received) -> dict[bytes, list[SpanRecord]]:
    """Records by trace, in the order received."""
    by_trace: dict[bytes, list[SpanRecord]] = defaultdict(list)
    exports = [decode_traces(body, "", RECEIVED_NS) for body in received.traces]
    exports += [decode_logs(body, "", RECEIVED_NS) for body in received.logs]
    for export in exports:
        for record in export.records:
            by_trace[record.trace_id].append(record)
    return by_trace


def postings(batches: Iterable[list[SpanRecord]]) -> list[str]:
    world = World()
    for batch in batches:
        world.append(batch)
    return sorted(map(repr, world.standing.values()))


def sent(scenario: Scenario) -> list[list[SpanRecord]]:
    exports = [decode_traces(body, "", RECEIVED_NS).records for body in scenario.traces]
    return exports + [decode_logs(body, "", RECEIVED_NS).records for body in scenario.logs]


def test_every_recording_counts_the_same_behind_the_collector(passed: Received) -> None:
    by_trace = decoded(passed)
    different, counted = [], 0
    for scenario in scenarios():
        batches = sent(scenario)
        traces = dict.fromkeys(record.trace_id for batch in batches for record in batch)
        expected = postings(batches)
        counted += len(expected)
        if expected != postings([by_trace.get(trace, []) for trace in traces]):
            different.append(scenario.id)
    assert different == []
    assert counted > 1000


def test_no_text_of_a_prompt_or_an_answer_comes_out(passed: Received) -> None:
    asked = {text for scenario in scenarios() for body in scenario.traces for text in texts(body)}
    assert len(asked) > 100
    out = b"\n".join((*passed.traces, *passed.logs))
    leaked = {text for text in asked if text.encode() in out}
    assert leaked <= NAMES


def texts(body: bytes) -> Iterator[str]:
    """Texts of an export that are somebody's words: strings under an attribute made for content, JSON opened."""
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                for attribute in (*span.attributes, *(each for event in span.events for each in event.attributes)):
                    if attribute.key.startswith(CONTENT):
                        yield from words(attribute.value.string_value)


def words(text: str) -> Iterator[str]:
    try:
        opened = json.loads(text)
    except ValueError:
        opened = text
    stack = [opened]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            stack += value.values()
        elif isinstance(value, list):
            stack += value
        elif isinstance(value, str) and len(value) >= TEXT_CHARACTERS_MIN and " " in value:
            yield value


def spans(received: Received) -> list[Span]:
    exports = map(ExportTraceServiceRequest.FromString, received.traces)
    return [span for e in exports for r in e.resource_spans for scope in r.scope_spans for span in scope.spans]


def test_queries_of_ordinary_databases_stay_out_and_what_may_link_an_agent_to_its_calls_passes(
    passed: Received,
) -> None:
    names = sorted(span.name for span in spans(passed) if span.trace_id == b"p" * 16)
    assert names == [
        "kept: a request", "kept: a vector database", "kept: another service", "kept: embeds", "kept: says nothing",
    ]  # fmt: skip


def test_span_events_and_error_messages_stay_out(passed: Received) -> None:
    assert not [span for span in spans(passed) if span.events or span.status.message]
    assert [span for span in spans(passed) if span.status.code == Status.STATUS_CODE_ERROR]


def test_only_log_events_that_state_usage_come_out(passed: Received) -> None:
    names = {
        record.event_name or next((a.value.string_value for a in record.attributes if a.key == "event.name"), "")
        for body in passed.logs for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        for scope in resource.scope_logs for record in scope.log_records
    }  # fmt: skip
    assert names == {"gen_ai.client.inference.operation.details"}


@pytest.mark.parametrize("variant", [[], ["sidecar"], ["gateway"], ["gateway-by-trace"], ["kafka-in"], None], ids=str)
def test_every_variant_is_valid(variant: list[str] | None, tmp_path: Path) -> None:
    if variant == ["gateway-by-trace"]:
        otelcol_process.needs("loadbalancing")
    files = [otelcol_process.VARIANTS / "kafka-out.yaml"]
    if variant is not None:
        files = [otelcol_process.CONFIGURATION, *(otelcol_process.VARIANTS / f"{name}.yaml" for name in variant)]
    command = [otelcol_process.binary(), "validate", *(word for path in files for word in ("--config", str(path)))]
    done = subprocess.run(command, env={"FINOPS_QUEUE_DIR": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_configuration_lets_through_what_the_tables_read() -> None:
    text = otelcol_process.CONFIGURATION.read_text()
    assert in_front.rewritten(text) == text, "run `make collector-config`"

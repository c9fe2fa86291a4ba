"""What an export seems to hold before it is decoded."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from collector.otlp_status import Encoding, Signal
from collector.span_count import spans_in


def traces(spans: int, chance: random.Random) -> bytes:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for _ in range(spans):
        span = scope.spans.add(trace_id=chance.randbytes(16), span_id=chance.randbytes(8), name="chat")
        span.attributes.add(key="gen_ai.tool.name").value.string_value = "lookup 7"
    return request.SerializeToString()


@given(st.integers(0, 300), st.integers(0, 100))
def test_spans_are_counted_exactly(spans: int, seed: int):
    assert spans_in(Signal.TRACES, Encoding.PROTOBUF, traces(spans, random.Random(seed))) == max(1, spans)


@given(st.integers(0, 300), st.integers(0, 100))
def test_log_records_are_counted_exactly(records: int, seed: int):
    chance, request = random.Random(seed), ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for _ in range(records):
        scope.log_records.add(trace_id=chance.randbytes(16), span_id=chance.randbytes(8), event_name="x")
    assert spans_in(Signal.LOGS, Encoding.PROTOBUF, request.SerializeToString()) == max(1, records)


@pytest.mark.parametrize("signal", [Signal.TRACES, Signal.LOGS])
def test_json_is_counted_by_its_identifiers(signal: Signal):
    assert spans_in(signal, Encoding.JSON, b'[{"spanId":"a","parentSpanId":"b"},{"spanId" : "c"}]') == 2


def test_bytes_that_are_nothing_count_for_one():
    assert spans_in(Signal.TRACES, Encoding.PROTOBUF, b"") == spans_in(Signal.METRICS, Encoding.JSON, b"x") == 1

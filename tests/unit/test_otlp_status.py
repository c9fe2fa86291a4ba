"""The answers, read back with the official schema."""

import json

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from collector.otlp_status import (
    Answer,
    Answers,
    Encoding,
    Outcome,
    Signal,
    accept,
    refuse,
    render_headers,
    render_retry_info,
    render_status,
    render_success,
    render_trailers,
)

RETRYABLE_HTTP = {429, 502, 503, 504}
RETRYABLE_GRPC = {1, 4, 10, 11, 14, 15}
UNKNOWN, INTERNAL = 2, 13


@pytest.mark.parametrize("outcome", Outcome, ids=lambda outcome: outcome.label)
def test_every_outcome_speaks_a_code_that_senders_take_as_meant(outcome: Outcome):
    assert outcome.grpc in {code.value[0] for code in grpc.StatusCode} - {UNKNOWN, INTERNAL}
    assert outcome.retryable == (outcome.http in RETRYABLE_HTTP)
    if outcome is not Outcome.SLOW:
        assert outcome.retryable == (outcome.grpc in RETRYABLE_GRPC)
    assert outcome.label == outcome.name.lower()


def test_outcomes_with_equal_codes_stay_apart():
    assert len({outcome.label for outcome in Outcome}) == len(Outcome)


@given(st.integers(0, 2**40), st.text(max_size=600))
def test_partial_success_reads_back(rejected: int, message: str):
    answer = accept(rejected, message)
    sent = ExportTraceServiceResponse.FromString(render_success(answer, Encoding.PROTOBUF, Signal.TRACES))
    assert sent.HasField("partial_success") == bool(rejected)
    if rejected:
        assert (sent.partial_success.rejected_spans, sent.partial_success.error_message) == (rejected, message[:512])
        in_json = json.loads(render_success(answer, Encoding.JSON, Signal.TRACES))["partialSuccess"]
        assert in_json == {"rejectedSpans": str(rejected), "errorMessage": message[:512]}


def test_each_signal_has_its_own_word_in_json():
    said = {signal: json.loads(render_success(accept(1, "m"), Encoding.JSON, signal)) for signal in Signal}
    words = {signal: next(iter(body["partialSuccess"])) for signal, body in said.items()}
    assert list(words.values()) == ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"]


def test_success_without_rejected_spans_says_nothing():
    assert render_success(accept(), Encoding.PROTOBUF, Signal.LOGS) == b""
    assert render_success(accept(), Encoding.JSON, Signal.LOGS) == b"{}"


@given(st.floats(0, 1, exclude_max=True))
def test_the_delay_is_between_one_and_two_seconds_in_every_form(chance: float):
    answer = Answers(lambda: chance).retry(Outcome.UNAVAILABLE, "later")
    assert 1000 <= answer.retry_ms <= 2000
    sent = dict(render_trailers(answer))
    status = status_pb2.Status.FromString(sent["grpc-status-details-bin"])
    inside = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(inside)
    alone = error_details_pb2.RetryInfo.FromString(sent["google.rpc.retryinfo-bin"])
    assert inside == alone
    assert alone.retry_delay.ToMilliseconds() == answer.retry_ms
    assert (status.code, status.message) == (14, "later")
    assert dict(render_headers(answer)) == {b"retry-after": b"1" if answer.retry_ms == 1000 else b"2"}


@given(st.integers(0, 10_000_000))
def test_any_delay_reads_back(retry_ms: int):
    assert error_details_pb2.RetryInfo.FromString(render_retry_info(retry_ms)).retry_delay.ToMilliseconds() == retry_ms


def test_a_final_refusal_carries_no_delay():
    answer = refuse(Outcome.UNDECODABLE, "x" * 5000)
    assert render_trailers(answer) == ()
    assert render_headers(answer) == []
    status = status_pb2.Status.FromString(render_status(answer, Encoding.PROTOBUF))
    assert (status.code, status.message, list(status.details)) == (3, "x" * 512, [])
    assert json.loads(render_status(answer, Encoding.JSON)) == {"code": 3, "message": "x" * 512}


def test_headers_say_what_would_have_worked():
    assert render_headers(Answer(Outcome.UNAUTHENTICATED)) == [(b"www-authenticate", b"Bearer")]
    assert render_headers(Answer(Outcome.NO_SUCH_METHOD)) == [(b"allow", b"POST")]

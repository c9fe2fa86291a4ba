"""Damage is told from meaning as protobuf's own parser tells it, and never becomes a number."""

import json
import random
from typing import Any

import pytest
from corpus_loader import scenarios
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_bytes import SPAN, TRACE, export, log_record, span, varint
from storm.storm_damage import damaged

from collector.decode import Decoded, Undecodable, decode_traces, decode_traces_json
from collector.log_events import decode_logs
from finops.spans import Rejected

BODIES = 2500
CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.output_tokens": 5}


def canonical(body: bytes, kind: Any = ExportTraceServiceRequest) -> Any:
    """As protobuf reads it; None where it does not."""
    request = kind()
    try:
        request.ParseFromString(body)
    except DecodeError:
        return None
    return request


def meaning(decoded: Decoded) -> tuple[object, ...]:
    return decoded.records, [(refused.reason, refused.trace_id, refused.span_id) for refused in decoded.rejected]


@pytest.mark.parametrize("seed", [1, 2])
def test_what_protobuf_can_read_means_the_same_here_however_it_was_written(seed: int) -> None:
    chance = random.Random(seed)
    bodies = [body for scenario in scenarios() for body in scenario.traces if len(body) < 20_000]
    readable = 0
    for _ in range(BODIES):
        body = damaged(chance, chance.choice(bodies))
        request = canonical(body)
        if request is None:
            continue
        readable += 1
        assert meaning(decode_traces(body, "", 0)) == meaning(decode_traces(request.SerializeToString(), "", 0))
        spans = sum(len(scoped.spans) for group in request.resource_spans for scoped in group.scope_spans)
        decoded = decode_traces(body, "", 0)
        assert len(decoded.records) + len(decoded.rejected) == spans
    assert readable > BODIES / 10


@pytest.mark.parametrize("seed", [3, 4])
def test_what_protobuf_cannot_read_is_refused_or_saved_span_by_span(seed: int) -> None:
    chance = random.Random(seed)
    bodies = [body for scenario in scenarios() for body in scenario.traces if len(body) < 20_000]
    refused = 0
    for _ in range(BODIES):
        body = damaged(chance, chance.choice(bodies))
        if canonical(body) is not None:
            continue
        try:
            decode_traces(body, "", 0)
        except Undecodable:
            refused += 1
    assert refused > BODIES / 100


def pair(key: str, value: bytes) -> bytes:
    """A KeyValue message whose AnyValue is these bytes."""
    name = key.encode()
    return b"\x0a" + varint(len(name)) + name + b"\x12" + varint(len(value)) + value


INPUT = "gen_ai.usage.input_tokens"
DAMAGED = {
    "a count that is cut off": pair(INPUT, b"\x18\x85"),
    "a count that never ends": pair(INPUT, b"\x18" + b"\xff" * 10),
    "a double that is cut off": pair(INPUT, b"\x21" + bytes(5)),
    "a length beyond the end": pair(INPUT, b"\x0a\x7f12"),
    "a value shorter than it says": pair(INPUT, b"\x18\x05")[:-1],
    "a key longer than the pair": b"\x0a\x7f" + INPUT.encode() + b"\x12\x02\x18\x05",
    "a key that ends too soon": b"\x0a\x05" + INPUT.encode() + b"\x12\x02\x18\x05",
}


@pytest.mark.parametrize("broken", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_count_refuses_its_span_and_no_other(broken: bytes) -> None:
    sound, hurt = span(CALL, span_id=b"soundspn"), span(CALL, span_id=b"hurtspan")
    body = export(sound, hurt + b"\x4a" + varint(len(broken)) + broken)
    decoded = decode_traces(body, "", 0)
    assert [record.span_id for record in decoded.records] == [b"soundspn"]
    assert [(refused.reason, refused.span_id) for refused in decoded.rejected] == [("undecodable", b"hurtspan")]


READABLE = {
    "the last of two values": (b"\x0a\x01x\x18\x07", 7),
    "a number of ten bytes that is below zero": (b"\x18" + b"\xff" * 9 + b"\x01", None),
    "a value and a field that nobody knows": (b"\x18\x07\x78\x01", 7),
    "an empty one, which says nothing": (b"", 0),
}


@pytest.mark.parametrize(("value", "tokens"), READABLE.values(), ids=READABLE)
def test_an_unusual_value_is_read_as_protobuf_reads_it(value: bytes, tokens: int | None) -> None:
    said = span(CALL) + b"\x4a" + varint(len(pair(INPUT, value))) + pair(INPUT, value)
    decoded = decode_traces(export(said), "", 0)
    if tokens is None:
        assert [refused.reason for refused in decoded.rejected] == ["bad_usage"]
    else:
        (record,) = decoded.records
        assert record.usage is not None
        assert (record.usage.input_tokens, record.flags) == (tokens, () if tokens else ("partialUsage",))


def test_an_attribute_that_nobody_reads_may_be_anything() -> None:
    odd = pair("http.body", b"\xff\xff\xff")
    decoded = decode_traces(export(span(CALL) + b"\x4a" + varint(len(odd)) + odd), "", 0)
    assert not any(isinstance(item, Rejected) for item in decoded.rejected)
    assert len(decoded.records) == 1


def log_meaning(body: bytes) -> tuple[object, ...] | None:
    try:
        return meaning(decode_logs(body, "", 0))
    except Undecodable:
        return None


@pytest.mark.parametrize("seed", [5, 6])
def test_what_protobuf_can_read_of_log_events_means_the_same_here(seed: int) -> None:
    chance = random.Random(seed)
    bodies = [body for scenario in scenarios() for body in scenario.logs if len(body) < 20_000]
    readable = 0
    for _ in range(BODIES // 2):
        body = damaged(chance, chance.choice(bodies))
        found = log_meaning(body)
        request = canonical(body, ExportLogsServiceRequest)
        if request is not None:
            readable += 1
            assert found == log_meaning(request.SerializeToString())
    assert readable > BODIES / 20


@pytest.mark.parametrize("broken", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_count_of_a_log_event_refuses_it_and_no_other(broken: bytes) -> None:
    said = {"gen_ai.usage.output_tokens": 7, "gen_ai.request.model": "gpt-4o", "gen_ai.operation.name": "chat"}
    sound = log_record(said, event_name="gen_ai.client.inference.operation.details", trace_id=TRACE, span_id=SPAN)
    decoded = decode_logs(export(sound, sound + b"\x32" + varint(len(broken)) + broken, sound), "", 0)
    assert len(decoded.records) == 2
    assert [refused.reason for refused in decoded.rejected] == ["undecodable"]


@pytest.mark.parametrize("seed", [7, 8])
def test_damage_within_a_span_changes_nothing_of_its_neighbours(seed: int) -> None:
    chance = random.Random(seed)
    before, after = span(CALL, span_id=b"neighb-1"), span(CALL, span_id=b"neighb-2")
    expected = decode_traces(export(before, after), "", 0).records
    bodies = [body for scenario in scenarios() for body in scenario.traces if len(body) < 20_000]
    hurt = 0
    for _ in range(BODIES // 2):
        request = canonical(chance.choice(bodies))
        assert request is not None
        spans = [one for group in request.resource_spans for scoped in group.scope_spans for one in scoped.spans]
        broken = damaged(chance, chance.choice(spans).SerializeToString())
        decoded = decode_traces(export(before, broken, after), "", 0)
        assert [record for record in decoded.records if record.span_id.startswith(b"neighb-")] == expected
        assert len(decoded.records) + len(decoded.rejected) == 3
        hurt += bool(decoded.rejected)
    assert hurt > BODIES / 20


def json_span(span_id: str, **more: Any) -> dict[str, Any]:
    said = [{"key": key, "value": {"stringValue": str(value)}} for key, value in CALL.items()]
    return {"traceId": "01" * 16, "spanId": span_id * 8, "name": "chat", "attributes": said, **more}


def json_group(*spans: Any, **more: Any) -> dict[str, Any]:
    owner = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    return {"resource": owner, "scopeSpans": [{"scope": {"name": "my-app"}, "spans": spans}], **more}


ODD_GROUPS: dict[str, Any] = {
    "no group": 5,
    "scopes that are none": json_group(scopeSpans={}),
    "a scope that is none": json_group(scopeSpans=[7]),
    "spans that are none": json_group(scopeSpans=[{"spans": "many"}]),
    "nulls": {"resource": None, "scopeSpans": None},
}


@pytest.mark.parametrize("odd", ODD_GROUPS.values(), ids=ODD_GROUPS)
def test_an_odd_part_of_json_costs_its_neighbours_nothing(odd: Any) -> None:
    sound = json_group(json_span("0a"))
    decoded = decode_traces_json(json.dumps({"resourceSpans": [odd, sound]}).encode(), "", 0)
    expected = decode_traces_json(json.dumps({"resourceSpans": [sound]}).encode(), "", 0)
    assert (meaning(decoded), len(decoded.records)) == (meaning(expected), 1)


@pytest.mark.parametrize("more", [{"resource": 7}, {"resource": {"attributes": [5]}}])
def test_the_spans_of_a_json_resource_that_cannot_be_read_are_nobodys_and_kept(more: Any) -> None:
    decoded = decode_traces_json(json.dumps({"resourceSpans": [json_group(json_span("0a"), **more)]}).encode(), "", 0)
    assert (len(decoded.records), decoded.rejected) == (1, [])


def test_a_null_in_json_is_a_field_that_was_not_sent() -> None:
    nothing = dict.fromkeys(("parentSpanId", "status", "startTimeUnixNano"))
    plain, nulls = ({"resourceSpans": [json_group(json_span("0a", **more))]} for more in ({}, nothing))
    nulls["resourceSpans"][0]["scopeSpans"][0]["scope"]["version"] = None
    assert meaning(decode_traces_json(json.dumps(nulls).encode(), "", 0)) == meaning(
        decode_traces_json(json.dumps(plain).encode(), "", 0)
    )


@pytest.mark.parametrize("body", [[], 5, None, {"resourceSpans": 5}, {"resourceSpans": [{"scopeSpans": [5]}]}])
def test_json_without_one_span_is_not_readable(body: Any) -> None:
    with pytest.raises(Undecodable):
        decode_traces_json(json.dumps(body).encode(), "", 0)

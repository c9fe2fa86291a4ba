"""Decoding: what is believed, what is refused with which reason, and that one bad span never sinks its neighbours."""

import json
import math

import pytest
from otlp_bytes import SPAN, START_NS, TRACE, export, field, key_value, span, varint

from collector.decode import ATTRIBUTES_MAX, Undecodable, decode_traces, decode_traces_json, remembered
from collector.decode_attributes import PAIRS_MAX
from collector.decode_senders import EMITTERS_MAX
from finops.spans import Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 7,
}
CANARY = "canary-prompt-4711 please answer"


def decode_one(said: object, **how: object) -> SpanRecord | Rejected:
    decoded = decode_traces(export(span(said, **how)), "", 0)  # type: ignore[arg-type]
    return (decoded.records + decoded.rejected)[0]


def record(said: object, **how: object) -> SpanRecord:
    found = decode_one(said, **how)
    assert isinstance(found, SpanRecord), found
    return found


def reason(said: object, **how: object) -> str:
    found = decode_one(said, **how)
    assert isinstance(found, Rejected), found
    return found.reason


def test_a_call_comes_out_with_ids_times_models_and_usage() -> None:
    call = record(CALL, parent_id=bytes(range(8)), status=2)
    assert (call.trace_id, call.span_id, call.parent_id) == (TRACE, SPAN, bytes(range(8)))
    assert (call.start_ns, call.end_ns, call.span_class, call.error) == (
        START_NS,
        START_NS + 10**9,
        SpanClass.CALL,
        True,
    )
    assert (call.provider, call.request_model, call.usage) == ("openai", "gpt-4o", TokenUsage(100, 7))


def test_a_span_without_meaning_for_cost_is_a_plain_link() -> None:
    plain = record({"http.method": "GET", "url.full": "http://example.org/"}, name=b"GET /")
    assert (plain.span_class, plain.usage, plain.name) == (SpanClass.PLAIN, None, "")


def test_an_application_span_passes_its_session_and_user_on() -> None:
    own = record({"session.id": "s-1", "user.id": "u-1"}).own
    assert (own.session, own.user) == ("s-1", "u-1")


@pytest.mark.parametrize("trace_id", [b"", b"\0" * 16, b"x" * 15, b"x" * 17])
def test_a_wrong_trace_id_is_refused(trace_id: bytes) -> None:
    assert reason(CALL, trace_id=trace_id) == "invalid_id"


@pytest.mark.parametrize("span_id", [b"", b"\0" * 8, b"x" * 7])
def test_a_wrong_span_id_is_refused(span_id: bytes) -> None:
    assert reason(CALL, span_id=span_id) == "invalid_id"


def test_an_all_zero_parent_means_a_root() -> None:
    assert record(CALL, parent_id=b"\0" * 8).parent_id == b""


@pytest.mark.parametrize("count", [3, "3", "000000000003", 3.0])
def test_a_count_may_be_an_integer_digits_or_an_integral_double(count: object) -> None:
    usage = record(CALL | {"gen_ai.usage.output_tokens": count}).usage
    assert usage is not None
    assert usage.output_tokens == 3


@pytest.mark.parametrize(
    "count",
    [12.5, "1e3", "", "12 ", "+3", "٣", True, [3], -1, -1.0, math.nan, math.inf, "1234567890123"],
)
def test_anything_else_is_no_count(count: object) -> None:
    assert reason(CALL | {"gen_ai.usage.output_tokens": count}) == "bad_usage"


@pytest.mark.parametrize("count", [100_000_001, 2**63 - 1, "999999999999"])
def test_counts_beyond_belief_are_implausible(count: object) -> None:
    assert reason(CALL | {"gen_ai.usage.input_tokens": count}) == "implausible"


def test_a_total_that_grows_beyond_belief_by_its_parts_is_implausible() -> None:
    said = CALL | {"gen_ai.usage.input_tokens": 60_000_000, "gen_ai.usage.cache_read.input_tokens": 90_000_000}
    assert reason(said) == "implausible"


def test_a_bare_word_of_another_program_is_none_of_our_business() -> None:
    assert record({"input_tokens": "many", "model": "T-34"}).span_class is SpanClass.PLAIN


def test_the_same_attribute_twice_with_one_value_is_fine() -> None:
    twice = [*CALL.items(), ("gen_ai.usage.output_tokens", 7)]
    assert record(twice).usage == TokenUsage(100, 7)


def test_a_billing_attribute_twice_with_different_values_is_ambiguous() -> None:
    assert reason([*CALL.items(), ("gen_ai.usage.output_tokens", 8)]) == "ambiguous"


def test_another_attribute_twice_with_different_values_is_read_once() -> None:
    twice = [*CALL.items(), ("session.id", "a"), ("session.id", "b")]
    assert record(twice).own.session == "a"


def test_too_many_attributes_are_too_large() -> None:
    fill = {f"k{number}": number for number in range(ATTRIBUTES_MAX)}
    assert reason(CALL | fill) == "too_large"


def test_invalid_utf8_in_a_prompt_and_in_a_model_is_no_reason_to_refuse() -> None:
    call = record(CALL | {"gen_ai.input.messages": b"\xff\xfe broken", "gen_ai.request.model": b"gpt-\xff4o"})
    assert call.request_model == "gpt-�4o"


def test_deep_nesting_is_never_entered() -> None:
    deep = b""
    for _ in range(5000):
        deep = field(5, field(1, deep))
    pair = field(1, b"gen_ai.input.messages") + field(2, deep)
    body = span(CALL) + field(9, pair)
    assert decode_traces(export(body), "", 0).records[0].usage == TokenUsage(100, 7)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("se\x00ss\x1b[31mion", "sess[31mion"), ("  padded ", "padded"), ("\x00", None)],
)
def test_control_characters_are_stripped_from_ids(sent: str, kept: str | None) -> None:
    assert record(CALL | {"session.id": sent}).own.session == kept


def test_long_ids_are_cut_and_stay_distinct() -> None:
    one = record(CALL | {"session.id": "x" * 3000 + "1"}).own.session
    two = record(CALL | {"session.id": "x" * 3000 + "2"}).own.session
    assert one is not None
    assert two is not None
    assert len(one) == len(two) == 256
    assert one != two
    assert one.startswith("xxx")


def test_a_neighbour_of_a_bad_span_is_kept() -> None:
    decoded = decode_traces(export(span(CALL, span_id=b"bad"), span(CALL)), "", 0)
    assert [len(decoded.records), [r.reason for r in decoded.rejected]] == [1, ["invalid_id"]]


def test_a_truncated_message_gives_the_spans_that_are_whole() -> None:
    body = export(*(span(CALL, span_id=bytes([n]) * 8) for n in range(1, 6)))
    for cut in range(1, 60):
        decoded = decode_traces(body[:-cut], "", 0)
        assert len(decoded.records) in (3, 4)
        assert {r.reason for r in decoded.rejected} <= {"undecodable", "invalid_id"}


def test_a_damaged_span_between_whole_ones_is_refused_alone() -> None:
    broken = b"\x0a\x7f short"
    decoded = decode_traces(export(span(CALL), broken, span(CALL, span_id=b"12345678")), "", 0)
    assert len(decoded.records) == 2
    assert [r.reason for r in decoded.rejected] == ["undecodable"]


@pytest.mark.parametrize("body", [b"\xff\xff\xff\xff", b"\x0a\xff", b"not protobuf at all", b"\x0a\x05hello"])
def test_bytes_without_one_span_are_undecodable(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_traces(body, "", 0)


def test_an_empty_export_is_an_empty_answer() -> None:
    assert decode_traces(b"", "", 0) == ([], [])


def test_unknown_fields_are_ignored() -> None:
    body = span(CALL) + varint(99 << 3) + varint(7) + field(98, b"future")
    assert decode_traces(export(body), "", 0).records[0].usage == TokenUsage(100, 7)


def test_attribute_fields_in_unusual_order_are_read_all_the_same() -> None:
    value = field(2, b"\x18\x09")
    body = span({k: v for k, v in CALL.items() if k != "gen_ai.usage.output_tokens"})
    body += field(9, value + field(1, b"gen_ai.usage.output_tokens"))
    assert decode_traces(export(body), "", 0).records[0].usage == TokenUsage(100, 9)


def test_no_byte_of_a_prompt_is_in_a_record() -> None:
    said = CALL | {
        "gen_ai.input.messages": f'[{{"role":"user","content":"{CANARY}"}}]',
        "gen_ai.prompt.0.content": CANARY,
        "output.value": json.dumps({"id": "chatcmpl-1234567890", "choices": [{"message": CANARY}], "x": CANARY}),
        "input.value": CANARY,
        "metadata": json.dumps({"note": CANARY, "session_id": "s"}),
        "openinference.span.kind": "LLM",
    }
    decoded = decode_traces(export(span(said)), "", 0)
    assert "canary" not in repr(decoded).lower()
    assert decoded.records[0].own.session == "s"


def test_memory_of_pairs_is_bounded() -> None:
    for number in range(0, 2 * PAIRS_MAX, 1000):
        spans = [span(CALL | {"gen_ai.request.model": f"m-{number + n}"}) for n in range(1000)]
        decode_traces(export(*spans), "", 0)
    assert 0 < remembered()["pairs"] <= PAIRS_MAX
    assert remembered()["scopes"] <= EMITTERS_MAX


def test_prompts_are_not_remembered() -> None:
    from collector.decode_attributes import _pairs

    decode_traces(export(span(CALL | {"gen_ai.prompt.0.content": "short canary"})), "", 0)
    assert key_value("gen_ai.prompt.0.content", "short canary") not in _pairs


# ---- OTLP/JSON -----------------------------------------------------------------------------------------------------


def json_export(said: dict[str, object], **overrides: object) -> bytes:
    fields = {
        "traceId": TRACE.hex().upper(),
        "spanId": SPAN.hex(),
        "name": "chat",
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": START_NS + 10**9,
        "attributes": [{"key": key, "value": value} for key, value in said.items()],
    } | overrides
    scoped = {"scope": {"name": "my-app"}, "spans": [fields]}
    return json.dumps({"resourceSpans": [{"resource": {"attributes": []}, "scopeSpans": [scoped]}]}).encode()


JSON_CALL: dict[str, object] = {
    "gen_ai.operation.name": {"stringValue": "chat"},
    "gen_ai.provider.name": {"stringValue": "openai"},
    "gen_ai.request.model": {"stringValue": "gpt-4o"},
    "gen_ai.usage.input_tokens": {"intValue": "100"},
    "gen_ai.usage.output_tokens": {"intValue": 7},
}


def test_json_gives_the_same_record_as_protobuf() -> None:
    assert decode_traces_json(json_export(JSON_CALL), "", 0) == decode_traces(export(span(CALL)), "", 0)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"intValue": 12.5}, "bad_usage"),
        ({"doubleValue": "NaN"}, "bad_usage"),
        ({"intValue": "-3"}, "bad_usage"),
        ({"boolValue": True}, "bad_usage"),
        ({"stringValue": "1e3"}, "bad_usage"),
        ({"intValue": "abc"}, "bad_usage"),
        ({"intValue": "9" * 5000}, "bad_usage"),
        ({"nonsense": 1, "intValue": [1]}, "bad_usage"),
        ({"intValue": "9223372036854775807"}, "implausible"),
    ],
)
def test_json_counts_follow_the_same_rules(value: object, why: str) -> None:
    decoded = decode_traces_json(json_export(JSON_CALL | {"gen_ai.usage.output_tokens": value}), "", 0)
    assert [r.reason for r in decoded.rejected] == [why]


@pytest.mark.parametrize("trace_id", ["", "00" * 16, "zz" * 16, "ab"])
def test_json_with_a_wrong_id_is_refused(trace_id: str) -> None:
    decoded = decode_traces_json(json_export(JSON_CALL, traceId=trace_id), "", 0)
    assert [r.reason for r in decoded.rejected] == ["invalid_id"]


def test_a_json_span_of_wrong_types_is_refused_alone() -> None:
    document = json.loads(json_export(JSON_CALL))
    spans = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
    spans.append({"traceId": 7})
    decoded = decode_traces_json(json.dumps(document).encode(), "", 0)
    assert (len(decoded.records), [r.reason for r in decoded.rejected]) == (1, ["undecodable"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"resourceSpans": 3}', b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_otlp_json_is_undecodable(body: bytes) -> None:
    with pytest.raises(Undecodable):
        decode_traces_json(body, "", 0)


def test_resource_words_become_dimensions_and_never_instance_ids() -> None:
    resource = {
        "service.name": "shop",
        "service.instance.id": "0ebe43e4-61e4-45cc-8610-361c0b53bf4b",
        "deployment.environment": "prod",
        "team": "payments",
        "organization.id": "acme",
    }
    found = decode_traces(export(span(CALL), resource=resource), "t", 0).records[0]
    assert (found.service, found.tenant) == ("shop", "t")
    assert found.resource._asdict() == {
        "org": "acme", "team": "payments", "agent": None, "session": None, "user": None, "environment": "prod",
    }  # fmt: skip


def test_a_service_nobody_named_has_no_name() -> None:
    found = decode_traces(export(span(CALL), resource={"service.name": "unknown_service:python"}), "", 0)
    assert found.records[0].service == ""

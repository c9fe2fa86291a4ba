"""OTLP trace exports, protobuf or JSON, to span records: the stages *decode* and *normalize* in one walk.

Nothing a span says beyond the wanted attributes is ever looked at. One bad span is ``Rejected`` and its neighbours
stay; a message that does not parse is searched for the spans that do. Raises ``Undecodable`` only where not one span
can be had.
"""

from typing import Final, NamedTuple

from collector import otlp_lite
from collector.decode_attributes import Unreadable, pairs_remembered, read_attributes, read_json_attributes
from collector.decode_json import JsonSpan, json_id, json_nanos, read_json_traces
from collector.decode_senders import emitter_of, json_emitter, json_sender, name_of, sender_of, senders_remembered
from collector.normalize import Sender, SpanFrame, normalize
from collector.normalize_plan import Emitter
from collector.suspended import with_export, with_json_export
from finops.spans import Rejected, SpanRecord

ATTRIBUTES_MAX: Final = 1024
"""A span with more attributes is refused."""
STATUS_ERROR: Final = 2
_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)

Undecodable = otlp_lite.Undecodable


class Decoded(NamedTuple):
    """What came out of one export: the records in the order sent, and the spans refused."""

    records: list[SpanRecord]
    rejected: list[Rejected]


def remembered() -> dict[str, int]:
    """Entries in each memory of the decoder, by name, for whoever watches their limits."""
    return {"pairs": pairs_remembered()} | senders_remembered()


def decode_traces(body: bytes, tenant: str, received_ns: int) -> Decoded:
    """The spans of an ExportTraceServiceRequest. ``received_ns`` is Unix time and dates nothing by itself."""
    salvage = otlp_lite.read_groups(body, otlp_lite.TRACES)
    decoded = Decoded([], [])
    for group in salvage.groups:
        sender, emitter = sender_of(group.resource), emitter_of(group.scope)
        for span in group.items:
            outcome = _record(span, tenant, sender, emitter)
            if isinstance(outcome, Rejected):
                outcome = with_export(outcome, span, group.resource, group.scope)
            keep(outcome, decoded)
    return _finish(decoded, salvage)


def _finish(decoded: Decoded, salvage: otlp_lite.Salvage) -> Decoded:
    if salvage.damaged and not decoded.records:
        raise Undecodable("not one span can be read from these bytes")
    decoded.rejected.extend([Rejected("undecodable", "a span in a damaged message")] * salvage.lost)
    return decoded


def keep(outcome: SpanRecord | Rejected, decoded: Decoded) -> None:
    """Put an outcome where it belongs."""
    if outcome.__class__ is SpanRecord:
        decoded.records.append(outcome)
    else:
        decoded.rejected.append(outcome)  # type: ignore[arg-type]


def _record(span: "otlp_lite.Message", tenant: str, sender: Sender, emitter: Emitter) -> SpanRecord | Rejected:
    trace_id, span_id, parent_id = span.trace_id, span.span_id, span.parent_span_id
    fault = fault_of_ids(trace_id, span_id, parent_id)
    if fault:
        return Rejected("invalid_id", fault, trace_id[:16], span_id[:8])
    attributes = span.attributes
    if len(attributes) > ATTRIBUTES_MAX:
        return Rejected("too_large", f"more than {ATTRIBUTES_MAX} attributes", trace_id, span_id)
    try:
        said = read_attributes(attributes)
    except Unreadable:
        return Rejected("undecodable", "an attribute is damaged", trace_id, span_id)
    if said is None:
        return Rejected("ambiguous", "one attribute is there twice with different values", trace_id, span_id)
    frame = SpanFrame(
        tenant, trace_id, span_id, b"" if parent_id == _NO_SPAN else parent_id, span.start_time_unix_nano,
        span.end_time_unix_nano, name_of(span.name), span.status.code == STATUS_ERROR, sender,
    )  # fmt: skip
    return normalize(frame, emitter, said)


def fault_of_ids(trace_id: bytes, span_id: bytes, parent_id: bytes) -> str:
    """What is wrong with the ids, or ''. An all-zero parent means none."""
    if len(trace_id) != 16 or trace_id == _NO_TRACE:
        return f"trace id of {len(trace_id)} bytes or zero"
    if len(span_id) != 8 or span_id == _NO_SPAN:
        return f"span id of {len(span_id)} bytes or zero"
    return "" if len(parent_id) in (0, 8) else f"parent id of {len(parent_id)} bytes"


def decode_traces_json(body: bytes, tenant: str, received_ns: int) -> Decoded:
    """The same out of OTLP/JSON."""
    decoded = Decoded([], [])
    for group in read_json_traces(body):
        sender, emitter = json_sender(group.resource), json_emitter(group.scope_name, group.scope_version)
        for span in group.items:
            outcome = _json_record(span, tenant, sender, emitter)
            if isinstance(outcome, Rejected):
                outcome = with_json_export(outcome, span, group.resource, group.scope_name, group.scope_version)
            keep(outcome, decoded)
        decoded.rejected.extend([Rejected("undecodable", "a span that is not OTLP/JSON")] * group.lost)
    return decoded


def _json_record(span: JsonSpan, tenant: str, sender: Sender, emitter: Emitter) -> SpanRecord | Rejected:
    trace_id, span_id, parent_id = json_id(span.trace_id), json_id(span.span_id), json_id(span.parent_span_id)
    fault = fault_of_ids(trace_id, span_id, parent_id)
    if fault:
        return Rejected("invalid_id", fault, trace_id[:16], span_id[:8])
    if len(span.attributes) > ATTRIBUTES_MAX:
        return Rejected("too_large", f"more than {ATTRIBUTES_MAX} attributes", trace_id, span_id)
    said = read_json_attributes(span.attributes)
    if said is None:
        return Rejected("ambiguous", "one attribute is there twice with different values", trace_id, span_id)
    error = span.status is not None and span.status.code in (STATUS_ERROR, "STATUS_CODE_ERROR")
    frame = SpanFrame(
        tenant, trace_id, span_id, b"" if parent_id == _NO_SPAN else parent_id, json_nanos(span.start_time_unix_nano),
        json_nanos(span.end_time_unix_nano), name_of(span.name.encode("utf-8", "replace")), error, sender,
    )  # fmt: skip
    return normalize(frame, emitter, said)

"""What is kept of a refused span so that it can be tried again once the fault is mended (``replay``).

A span that could not be read is kept as an OTLP export of its own, with the attributes that are read here and no
others: neither payloads, which may hold prompts, nor the span's name, into which an application may have written one.
A span that was read and refused later is kept as its record.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from collector import dialects_table as table
from collector import otlp_lite
from collector.decode_json import JsonAttribute, JsonSpan, json_any, json_id, json_nanos
from collector.values import any_value, read_pair
from finops.spans import Rejected, SpanRecord

EXPORT: Final = "export"
RECORD: Final = "record"
BYTES_MAX: Final = 16_384
"""A span that needs more is not kept."""

_SPAN_KEYS: Final = frozenset(key.encode() for key, kind in table.key_kinds().items() if kind != "payload")
_RESOURCE_KEYS: Final = frozenset(key.encode() for keys in table.RESOURCE_KEYS.values() for key in keys)
_encode = msgspec.msgpack.Encoder().encode


def with_export(rejected: Rejected, span: "otlp_lite.Message", resource: bytes, scope: bytes) -> Rejected:
    """The refusal with what of the span can be tried again."""
    said = otlp_lite.parse_or_none(otlp_lite.Resource, resource)
    emitter = otlp_lite.parse_or_none(otlp_lite.Scope, scope) or otlp_lite.Scope()
    kept = otlp_lite.Span(
        trace_id=span.trace_id, span_id=span.span_id, parent_span_id=span.parent_span_id, kind=span.kind,
        start_time_unix_nano=span.start_time_unix_nano, end_time_unix_nano=span.end_time_unix_nano,
        attributes=_wanted(span.attributes, _SPAN_KEYS), status=span.status,
    )  # fmt: skip
    owner = _wanted(said.attributes if said is not None else (), _RESOURCE_KEYS)
    return _with_body(rejected, EXPORT, _export(kept, owner, emitter.name, emitter.version))


def with_json_export(
    rejected: Rejected, span: JsonSpan, resource: list[JsonAttribute], name: str, version: str
) -> Rejected:
    """The same for a span out of OTLP/JSON."""
    kept = otlp_lite.Span(
        trace_id=json_id(span.trace_id), span_id=json_id(span.span_id), parent_span_id=json_id(span.parent_span_id),
        start_time_unix_nano=json_nanos(span.start_time_unix_nano),
        end_time_unix_nano=json_nanos(span.end_time_unix_nano),
        attributes=_wanted(map(_pair, span.attributes), _SPAN_KEYS),
    )  # fmt: skip
    owner = _wanted(map(_pair, resource), _RESOURCE_KEYS)
    return _with_body(
        rejected, EXPORT, _export(kept, owner, *(word.encode("utf-8", "replace") for word in (name, version)))
    )


def with_record(rejected: Rejected, record: SpanRecord) -> Rejected:
    """The refusal with the record that was refused."""
    return _with_body(rejected, RECORD, _encode(record))


def _with_body(rejected: Rejected, form: str, body: bytes) -> Rejected:
    return rejected if len(body) > BYTES_MAX else rejected._replace(form=form, body=body)


def _export(span: "otlp_lite.Message", owner: list[bytes], name: bytes, version: bytes) -> bytes:
    data = otlp_lite.TracesData()
    group = data.resource_spans.add(resource=[otlp_lite.Resource(attributes=owner).SerializeToString()])
    scope = otlp_lite.Scope(name=name, version=version).SerializeToString()
    group.scope_spans.add(scope=[scope], spans=[span])
    body: bytes = data.SerializeToString()
    return body


def _wanted(pairs: Iterable[bytes], keys: frozenset[bytes]) -> list[bytes]:
    found = ((pair, read_pair(pair)) for pair in pairs)
    return [pair for pair, read in found if read is not None and read.key in keys]


def _pair(attribute: JsonAttribute) -> bytes:
    """An attribute out of JSON as protobuf writes it; of a list or a map only that it is one."""
    field, content = json_any(attribute.value)
    pair: bytes = otlp_lite.KeyValue(
        key=attribute.key.encode("utf-8", "replace"), value=any_value(field, content)
    ).SerializeToString()
    return pair

"""OTLP/JSON trace and log exports as typed trees: hex ids in any case, 64-bit integers as text or numbers.

Only wanted attributes become values, in the same form as those of protobuf, so both ways give the same records.
"""

import binascii
import struct
from typing import Any, NamedTuple

import msgspec

from collector.otlp_lite import Undecodable

_ABSENT = msgspec.Raw()
"""A field that was not sent."""


class _AnyValue(msgspec.Struct):
    stringValue: msgspec.Raw = _ABSENT
    intValue: msgspec.Raw = _ABSENT
    doubleValue: msgspec.Raw = _ABSENT
    boolValue: msgspec.Raw = _ABSENT
    arrayValue: msgspec.Raw = _ABSENT
    kvlistValue: msgspec.Raw = _ABSENT
    bytesValue: msgspec.Raw = _ABSENT


class JsonAttribute(msgspec.Struct):
    """One attribute; the value stays undecoded JSON until somebody wants it."""

    key: str = ""
    value: msgspec.Raw = _ABSENT


class _Status(msgspec.Struct):
    code: int | str = 0


class JsonSpan(msgspec.Struct, rename="camel"):
    """A span as OTLP/JSON writes it."""

    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[JsonAttribute] = []
    status: _Status | None = None


class JsonLogRecord(msgspec.Struct, rename="camel"):
    """A log record as OTLP/JSON writes it."""

    time_unix_nano: int | str = 0
    observed_time_unix_nano: int | str = 0
    trace_id: str = ""
    span_id: str = ""
    event_name: str = ""
    body: msgspec.Raw = _ABSENT
    attributes: list[JsonAttribute] = []


class _Scope(msgspec.Struct):
    name: str = ""
    version: str = ""


class _Resource(msgspec.Struct):
    attributes: list[JsonAttribute] = []


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[msgspec.Raw] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    log_records: list[msgspec.Raw] = []


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_logs: list[_ScopeLogs] = []


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] = []


class JsonGroup(NamedTuple):
    """Items that share a resource and a scope; those that do not parse are counted."""

    resource: list[JsonAttribute]
    scope_name: str
    scope_version: str
    items: list[Any]
    lost: int


_TRACES = msgspec.json.Decoder(_Traces)
_LOGS = msgspec.json.Decoder(_Logs)
_SPAN = msgspec.json.Decoder(JsonSpan)
_LOG_RECORD = msgspec.json.Decoder(JsonLogRecord)
_VALUE = msgspec.json.Decoder(_AnyValue)
_NO_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIELDS = (
    ("stringValue", 1), ("boolValue", 2), ("intValue", 3), ("doubleValue", 4), ("arrayValue", 5), ("kvlistValue", 6),
    ("bytesValue", 7),
)  # fmt: skip


def read_json_traces(body: bytes) -> list[JsonGroup]:
    """The groups of spans in a body; raises ``Undecodable`` where it is no OTLP/JSON."""
    traces = _decode(_TRACES, body)
    if traces is None:
        return _salvage(body, _SPAN, "resourceSpans", "scopeSpans", "spans")
    return [
        _group(scoped.scope, group.resource, scoped.spans, _SPAN)
        for group in traces.resource_spans
        for scoped in group.scope_spans
    ]


def read_json_logs(body: bytes) -> list[JsonGroup]:
    """The groups of log records in a body; raises ``Undecodable`` where it is no OTLP/JSON."""
    logs = _decode(_LOGS, body)
    if logs is None:
        return _salvage(body, _LOG_RECORD, "resourceLogs", "scopeLogs", "logRecords")
    return [
        _group(scoped.scope, group.resource, scoped.log_records, _LOG_RECORD)
        for group in logs.resource_logs
        for scoped in group.scope_logs
    ]


def _decode(decoder: Any, body: bytes) -> Any:
    """The whole message; None where it is JSON and a part of it is not what it should be."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:
        return None
    except _NO_JSON:
        raise Undecodable("the body is not OTLP/JSON") from None


def _salvage(body: bytes, decoder: Any, *names: str) -> list[JsonGroup]:
    """The groups of a message of which a part is wrong: a resource or a scope that cannot be read says nothing."""
    try:
        tree = _without_nulls(msgspec.json.decode(body))
    except _NO_JSON:
        raise Undecodable("the body is not OTLP/JSON") from None
    groups_name, scopes_name, items_name = names
    found = [
        _group(
            _part(_Scope, scoped, "scope"), _part(_Resource, group, "resource"),
            [msgspec.Raw(msgspec.json.encode(item)) for item in _members(scoped, items_name)], decoder,
        )
        for group in _members(tree, groups_name)
        for scoped in _members(group, scopes_name)
    ]  # fmt: skip
    if not any(group.items for group in found) and not _says_nothing(tree, groups_name):
        raise Undecodable("not one item can be read from this JSON")
    return found


def _says_nothing(tree: Any, groups_name: str) -> bool:
    """Whether it is an export without anything in it, which is fine."""
    return isinstance(tree, dict) and tree.get(groups_name, []) == []


def _members(tree: Any, name: str) -> list[Any]:
    members = tree.get(name) if isinstance(tree, dict) else None
    return members if isinstance(members, list) else []


def _part(kind: Any, tree: Any, name: str) -> Any:
    if not isinstance(tree, dict) or name not in tree:
        return None
    try:
        return msgspec.json.decode(msgspec.json.encode(tree[name]), type=kind)
    except msgspec.ValidationError:
        return None


def _without_nulls(tree: Any) -> Any:
    """In protobuf's JSON a null is a field that was not set."""
    if isinstance(tree, dict):
        return {name: _without_nulls(value) for name, value in tree.items() if value is not None}
    return [_without_nulls(value) for value in tree] if isinstance(tree, list) else tree


def _group(scope: _Scope | None, resource: _Resource | None, raws: list[msgspec.Raw], decoder: Any) -> JsonGroup:
    items = [item for item in (_item(raw, decoder) for raw in raws) if item is not None]
    attributes = resource.attributes if resource else []
    named = scope or _Scope()
    return JsonGroup(attributes, named.name, named.version, items, len(raws) - len(items))


def _item(raw: msgspec.Raw, decoder: Any) -> Any:
    """A span or log record; None where it is none."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        pass
    except _NO_JSON:
        return None
    try:
        return decoder.decode(msgspec.json.encode(_without_nulls(msgspec.json.decode(raw))))
    except _NO_JSON:
        return None


def json_id(text: str) -> bytes:
    """A hex id as bytes; an id that is no hex gives bytes of a wrong length, which nobody accepts."""
    try:
        return binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        return b"?"


def json_nanos(value: int | str) -> int:
    """A 64-bit time that came as a number or as text; 0 where it is neither."""
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdigit() and len(value) <= 20 else 0
    return value if 0 <= value < 1 << 64 else 0


_KEY_VALUE_LIST = 6


def json_any(raw: msgspec.Raw) -> tuple[int, bytes | int]:
    """An AnyValue as protobuf would give it: field number and content. A malformed one is no word, no count."""
    if raw == _ABSENT:
        return 0, b""
    try:
        value = _VALUE.decode(raw)
        for name, field in _FIELDS:
            part = getattr(value, name)
            if part != _ABSENT:
                return _value(field, msgspec.json.decode(part))
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError, OverflowError):
        return _KEY_VALUE_LIST, b""
    return 0, b""


def _value(field: int, value: Any) -> tuple[int, bytes | int]:
    """One field of an AnyValue; raises ``ValueError`` or ``TypeError`` where it is not what the field says."""
    if field == 1:
        return 1, str.encode(value, "utf-8", "replace")
    if field == 2 and isinstance(value, bool):
        return 2, int(value)
    if field == 3 and isinstance(value, (int, str)) and not isinstance(value, bool):
        return 3, int(value) & ((1 << 64) - 1)
    if field in (3, 4) and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return 4, struct.pack("<d", float(value))
    if field == 5:
        values = value.get("values", ()) if isinstance(value, dict) else ()
        first = values[0].get("stringValue") if values and isinstance(values[0], dict) else None
        return 5, _array_of(first.encode("utf-8", "replace")) if isinstance(first, str) else b""
    return _KEY_VALUE_LIST, b""


def _array_of(text: bytes) -> bytes:
    """An ArrayValue message with one short string, the only use anybody makes of arrays."""
    short = text[:120]
    inner = bytes((0x0A, len(short))) + short
    return bytes((0x0A, len(inner))) + inner

"""The trimmed OTLP schema: wire-compatible with the official one, text left as bytes, attribute pairs left whole.

Prompts stay undecoded bytes that nobody looks at, so neither bad UTF-8 nor deep nesting inside an attribute can fail a
batch. The schema is built here at import from the field numbers of opentelemetry-proto; there is no generated code.
What the bytes mean is told in ``values`` and ``normalize``.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError

_PACKAGE = "finops.otlp_lite"
_Field = descriptor_pb2.FieldDescriptorProto

_SCHEMA: dict[str, list[tuple[int, str, str, bool]]] = {
    "Status": [(3, "code", "int32", False)],
    "Span": [
        (1, "trace_id", "bytes", False),
        (2, "span_id", "bytes", False),
        (4, "parent_span_id", "bytes", False),
        (5, "name", "bytes", False),
        (6, "kind", "int32", False),
        (7, "start_time_unix_nano", "fixed64", False),
        (8, "end_time_unix_nano", "fixed64", False),
        (9, "attributes", "bytes", True),
        (15, "status", "Status", False),
    ],
    "ScopeSpans": [(1, "scope", "bytes", True), (2, "spans", "Span", True)],
    "ResourceSpans": [(1, "resource", "bytes", True), (2, "scope_spans", "ScopeSpans", True)],
    "TracesData": [(1, "resource_spans", "ResourceSpans", True)],
    "LogRecord": [
        (1, "time_unix_nano", "fixed64", False),
        (11, "observed_time_unix_nano", "fixed64", False),
        (5, "body", "bytes", False),
        (6, "attributes", "bytes", True),
        (9, "trace_id", "bytes", False),
        (10, "span_id", "bytes", False),
        (12, "event_name", "bytes", False),
    ],
    "ScopeLogs": [(1, "scope", "bytes", True), (2, "log_records", "LogRecord", True)],
    "ResourceLogs": [(1, "resource", "bytes", True), (2, "scope_logs", "ScopeLogs", True)],
    "LogsData": [(1, "resource_logs", "ResourceLogs", True)],
    "Scope": [(1, "name", "bytes", False), (2, "version", "bytes", False), (3, "attributes", "bytes", True)],
    "Resource": [(1, "attributes", "bytes", True)],
    "AnyValue": [
        (1, "string_value", "bytes", False),
        (2, "bool_value", "bool", False),
        (3, "int_value", "int64", False),
        (4, "double_value", "fixed64", False),
        (5, "array_value", "bytes", False),
        (6, "kvlist_value", "bytes", False),
        (7, "bytes_value", "bytes", False),
    ],
    "KeyValue": [(1, "key", "bytes", False), (2, "value", "AnyValue", False)],
}
# Resources and scopes may be sent in pieces: their bytes one after the other are the message they merge to.
_CHOICES = {"AnyValue": "value"}
"""Messages of which at most one field is set, the last one sent, and what the choice is called."""
_TYPES = {
    "bytes": _Field.TYPE_BYTES, "bool": _Field.TYPE_BOOL, "int32": _Field.TYPE_INT32, "int64": _Field.TYPE_INT64,
    "fixed64": _Field.TYPE_FIXED64,
}  # fmt: skip


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="finops_otlp_lite.proto", package=_PACKAGE, syntax="proto3")
    for message_name, fields in _SCHEMA.items():
        message = file.message_type.add(name=message_name)
        if message_name in _CHOICES:
            message.oneof_decl.add(name=_CHOICES[message_name])
        for number, name, kind, repeated in fields:
            field = message.field.add(name=name, number=number)
            field.label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            field.type = _TYPES.get(kind, _Field.TYPE_MESSAGE)
            if message_name in _CHOICES:
                field.oneof_index = 0
            if kind in _SCHEMA:
                field.type_name = f".{_PACKAGE}.{kind}"
    return file


def _message_classes() -> dict[str, Any]:
    if api_implementation.Type() == "python":
        raise ImportError("protobuf runs in pure Python here: install the binary wheel (upb), the slow one is not safe")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _SCHEMA}


_CLASSES = _message_classes()
TracesData: Any = _CLASSES["TracesData"]
LogsData: Any = _CLASSES["LogsData"]
Span: Any = _CLASSES["Span"]
AnyValue: Any = _CLASSES["AnyValue"]
Scope: Any = _CLASSES["Scope"]
Resource: Any = _CLASSES["Resource"]
KeyValue: Any = _CLASSES["KeyValue"]


Message = Any
"""A parsed message; protobuf's own classes carry no types for fields made at run time."""
Repeated = Any


class Undecodable(ValueError):
    """Not one item can be salvaged from a body."""


def parse_or_none(kind: Any, data: bytes) -> Message | None:
    """A message of class ``kind``, or None where the bytes are none."""
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    return message


class Signal(NamedTuple):
    """Names of the three levels of one OTLP signal, so that traces and logs are walked by the same code."""

    data: Any
    group: Any
    scoped: Any
    item: Any
    groups_field: str
    scopes_field: str
    items_field: str


TRACES = Signal(
    TracesData, _CLASSES["ResourceSpans"], _CLASSES["ScopeSpans"], _CLASSES["Span"],
    "resource_spans", "scope_spans", "spans",
)  # fmt: skip
LOGS = Signal(
    LogsData, _CLASSES["ResourceLogs"], _CLASSES["ScopeLogs"], _CLASSES["LogRecord"],
    "resource_logs", "scope_logs", "log_records",
)  # fmt: skip


class Group(NamedTuple):
    """The items (spans or log records) that share a resource and a scope, both still bytes."""

    resource: bytes
    scope: bytes
    items: Any


class Salvage(NamedTuple):
    """What could be read of a message, and how many items in it could not."""

    groups: list[Group]
    lost: int
    damaged: bool


def read_groups(body: bytes, signal: Signal) -> Salvage:
    """Every group in ``body``; where the whole does not parse, those items that do."""
    data = parse_or_none(signal.data, body)
    if data is None:
        return _salvage(body, signal)
    groups = [
        Group(b"".join(group.resource), b"".join(scoped.scope), getattr(scoped, signal.items_field))
        for group in getattr(data, signal.groups_field)
        for scoped in getattr(group, signal.scopes_field)
    ]
    return Salvage(groups, 0, False)


def _salvage(body: bytes, signal: Signal) -> Salvage:
    groups: list[Group] = []
    lost = 0
    for group in _children(body, 1):
        resource = _first(group.content)
        for scoped in _children(group.content, 2):
            scope = _first(scoped.content)
            items = []
            for child in _children(scoped.content, 2):
                item = parse_or_none(signal.item, child.content) if child.whole else None
                if item is None:
                    lost += 1
                else:
                    items.append(item)
            if items:
                groups.append(Group(resource, scope, items))
    return Salvage(groups, lost, True)


def _first(data: bytes) -> bytes:
    """Field 1 of a group or of its scoped part: the resource or the scope."""
    return b"".join(child.content for child in _children(data, 1))


class _Child(NamedTuple):
    content: bytes
    whole: bool


def _children(data: bytes, wanted: int) -> Iterator[_Child]:
    """The length-delimited fields numbered ``wanted``; stops where the bytes stop making sense.

    A field that runs past the end is given as far as it goes and is not whole: its own children may be.
    """
    position, end = 0, len(data)
    while position < end:
        tag, position = read_varint(data, position)
        kind = tag & 7
        if kind == 2:
            length, position = read_varint(data, position)
            if tag >> 3 == wanted and position <= end:
                yield _Child(data[position : position + length], position + length <= end)
            position += length
        elif kind == 0:
            _, position = read_varint(data, position)
        elif kind == 1:
            position += 8
        elif kind == 5:
            position += 4
        else:
            return


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    """The varint at ``position`` and the position after it; past the end of ``data`` where it is cut off."""
    value = shift = 0
    for index in range(position, min(position + 10, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, index + 1
        shift += 7
    return value, len(data) + 1

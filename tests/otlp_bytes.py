"""OTLP messages written by hand, byte by byte, so that what is sent in a test is exactly what the test says."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

TRACE = bytes(range(1, 17))
SPAN = bytes(range(1, 9))
START_NS = 1_790_000_000 * 10**9


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def field(number: int, content: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def any_value(value: Any) -> bytes:
    """An AnyValue; bytes stand for text that may be invalid UTF-8, a list for an array of its members."""
    if value is None:
        return b""
    if isinstance(value, bool):
        return b"\x10" + varint(int(value))
    if isinstance(value, int):
        return b"\x18" + varint(value)
    if isinstance(value, float):
        return b"\x21" + struct.pack("<d", value)
    if isinstance(value, list):
        return field(5, b"".join(field(1, any_value(member)) for member in value))
    return field(1, value if isinstance(value, bytes) else value.encode())


def key_value(key: str, value: Any) -> bytes:
    return field(1, key.encode()) + field(2, any_value(value))


def attributes(number: int, said: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> bytes:
    pairs = said.items() if isinstance(said, Mapping) else said
    return b"".join(field(number, key_value(key, value)) for key, value in pairs)


def span(
    said: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
    *,
    trace_id: bytes = TRACE,
    span_id: bytes = SPAN,
    parent_id: bytes = b"",
    name: bytes = b"chat",
    start_ns: int = START_NS,
    end_ns: int = START_NS + 10**9,
    status: int = 0,
) -> bytes:
    """A Span message."""
    body = field(1, trace_id) + field(2, span_id)
    body += field(4, parent_id) if parent_id else b""
    body += field(5, name) + b"\x39" + struct.pack("<Q", start_ns) + b"\x41" + struct.pack("<Q", end_ns)
    body += attributes(9, said)
    return body + (field(15, b"\x18" + varint(status)) if status else b"")


def log_record(
    said: Mapping[str, Any],
    *,
    event_name: str = "",
    body: str = "",
    trace_id: bytes = b"",
    span_id: bytes = b"",
    time_ns: int = START_NS,
) -> bytes:
    """A LogRecord message."""
    record = b"\x09" + struct.pack("<Q", time_ns)
    record += field(5, any_value(body)) if body else b""
    record += attributes(6, said)
    record += field(9, trace_id) if trace_id else b""
    record += field(10, span_id) if span_id else b""
    return record + (field(12, event_name.encode()) if event_name else b"")


def export(*items: bytes, scope: str = "my-app", version: str = "", resource: Mapping[str, Any] | None = None) -> bytes:
    """An export request with one resource and one scope; items are spans or log records."""
    scoped = field(1, field(1, scope.encode()) + (field(2, version.encode()) if version else b""))
    scoped += b"".join(field(2, item) for item in items)
    return field(1, field(1, attributes(1, resource or {})) + field(2, scoped))

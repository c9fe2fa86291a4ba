"""Rows of entries and spans in PostgreSQL's binary COPY format, made of a few large pieces instead of field by field.

The order of the columns is ``mapping``'s. What repeats from row to row, who an entry belongs to, is written once and
remembered; numbers of fixed width are packed together. A COPY is ``HEADER``, any number of rows, and ``TRAILER``.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Final

import msgspec

from finops.entries import Belongings, Entry, Measures
from finops.entry_terms import kept as kept_terms
from finops.trace_node import Node
from ledger import mapping
from ledger.settling import Kept

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
EPOCH_MICROSECONDS: Final = 946_684_800_000_000
"""PostgreSQL counts from 2000-01-01."""
REMEMBERED_MAX: Final = 4096
_NULL: Final = b"\xff\xff\xff\xff"
_JSONB: Final = 1
_json: Final = msgspec.json.Encoder().encode
_length: Final = Struct(">i").pack
_bigint: Final = Struct(">iq").pack
_int: Final = Struct(">ii").pack
_entry_start: Final = Struct(">hiq").pack
_json_start: Final = Struct(">iB").pack
_kinds: Final = ["i" if name.endswith(("calls", "runs", "hits")) else "q" for name in Measures._fields[:-1]]
_widths: Final = [4 if kind == "i" else 8 for kind in _kinds]
_template: Final = [word for width in _widths for word in (width, 0)]
_measures: Final = Struct(">" + "".join(f"i{kind}" for kind in _kinds)).pack
_span_middle: Final = Struct(">ihiqiq").pack
_ENTRY_FIELDS: Final = len(mapping.ENTRY_COLUMNS)
_SPAN_START: Final = len(mapping.SPAN_COLUMNS).to_bytes(2)


def entries(rows: Iterable[Entry]) -> bytes:
    """Some rows of the COPY of entries."""
    return b"".join([_entry(row) for row in rows])


def _entry(entry: Entry) -> bytes:
    event_ns, tenant, trace_id, span_id, revision, belongings, measures, rate_version, detail = entry
    terms = kept_terms(detail, measures, event_ns)
    return b"".join(
        (
            _entry_start(_ENTRY_FIELDS, 8, event_ns // 1000 - EPOCH_MICROSECONDS),
            _text(tenant),
            _blob(trace_id),
            _blob(span_id),
            _int(4, revision),
            _belongings(belongings),
            _measured(measures),
            _NULL if rate_version is None else _bigint(8, rate_version),
            _NULL if terms.start_lag_us is None else _bigint(8, terms.start_lag_us),
            _jsonb(terms.detail),
        )
    )


@lru_cache(REMEMBERED_MAX)
def _belongings(belongings: Belongings) -> bytes:
    return b"".join(_text(value) for value in belongings)


def _measured(measures: Measures) -> bytes:
    """The last, what the sender says a call cost, is mostly not said; the others mostly are."""
    *stated, reported = measures
    last = _NULL if reported is None else _bigint(8, reported)
    if None in stated:
        return b"".join(map(_number, stated, _widths)) + last
    words = _template.copy()
    words[1::2] = stated  # type: ignore[assignment]
    return _measures(*words) + last


def _number(value: int | None, width: int) -> bytes:
    return _NULL if value is None else _length(width) + value.to_bytes(width, signed=True)


def spans(nodes: Iterable[Node], kept: Mapping[int, Kept], arrived_ns: int) -> bytes:
    """Some rows of the COPY of new spans. ``kept`` is by the id() of the node."""
    arrived_us = arrived_ns // 1000 - EPOCH_MICROSECONDS
    return b"".join([_span(node, kept[id(node)], arrived_us) for node in nodes])


def _span(node: Node, kept: Kept, arrived_us: int) -> bytes:
    record, would_cost_pico = node.record, kept.would_cost_pico
    return b"".join(
        (
            _SPAN_START,
            _text(record.tenant),
            _blob(record.trace_id),
            _blob(record.span_id),
            _blob(record.parent_id),
            _span_middle(2, record.span_class, 8, node.event_ns // 1000 - EPOCH_MICROSECONDS, 8, arrived_us),
            _jsonb(mapping.facts_of(record)),
            _text(record.scope),
            _blob(node.id_key),
            _blob(node.twin_key),
            _text(node.verdict),
            _text(node.reason),
            _int(4, node.revision),
            _blob(node.posted),
            _NULL if would_cost_pico is None else _bigint(8, would_cost_pico),
            _text(kept.org_id),
        )
    )


def _jsonb(value: dict[str, object] | None) -> bytes:
    if value is None:
        return _NULL
    text = _json(value)
    return _json_start(len(text) + 1, _JSONB) + text


def _blob(value: bytes | None) -> bytes:
    return _NULL if value is None else _length(len(value)) + value


@lru_cache(REMEMBERED_MAX)
def _text(value: str) -> bytes:
    text = value.encode()
    return _length(len(text)) + text

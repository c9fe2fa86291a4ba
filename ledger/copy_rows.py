"""Rows of entries and spans in PostgreSQL's binary COPY format, made of a few large pieces instead of field by field.

The order of the columns is ``mapping``'s. What repeats from row to row, who an entry belongs to, is written once and
remembered; numbers of fixed width are packed together. A COPY is ``HEADER``, any number of rows, and ``TRAILER``.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from struct import Struct
from typing import Final

import msgspec

from finops.entries import Belongings, Measures
from finops.entry_terms import How, Written
from finops.entry_terms import kept as kept_terms
from finops.spans import NO_DIMENSIONS, Dimensions, SpanClass, SpanRecord
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
_measures: Final = Struct(">" + "".join(f"i{kind}" for kind in _kinds)).pack
_cost_at: Final = sum(8 if kind == "i" else 12 for kind in _kinds[: Measures._fields.index("cost_pico")])
"""Where in a row of known measures the cost is."""
_span_middle: Final = Struct(">ihiqiq").pack
_REPEATING: Final = (
    "name", "scope", "dialect", "resource", "service", "operation", "provider", "request_model", "response_model",
    "usage_detail", "tool", "agent_run", "cache_hit", "service_tier", "batch", "error", "flags",
)  # fmt: skip
"""Facts of a span that repeat from span to span."""
_SILENT: Final = SpanRecord("", b"", b"", b"", SpanClass.CALL, 0, 0)
_UNSAID: Final = tuple([getattr(_SILENT, name) for name in _REPEATING])
_ENTRY_FIELDS: Final = len(mapping.ENTRY_COLUMNS)
_SPAN_START: Final = len(mapping.SPAN_COLUMNS).to_bytes(2)


def entries(rows: Iterable[Written]) -> bytes:
    """Some rows of the COPY of entries."""
    return b"".join([_entry(row) for row in rows])


def _entry(written: Written) -> bytes:
    entry, start_lag_us, how = written
    event_ns, tenant, trace_id, span_id, revision, belongings, measures, rate_version, detail = entry
    if how is None:
        start_lag_us, kept = kept_terms(detail, measures, event_ns)
        terms = _jsonb(kept)
    else:
        terms = _how(how)
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
            _NULL if start_lag_us is None else _bigint(8, start_lag_us),
            terms,
        )
    )


@lru_cache(REMEMBERED_MAX)
def _how(how: How) -> bytes:
    return _jsonb(how.detail())


@lru_cache(REMEMBERED_MAX)
def _belongings(belongings: Belongings) -> bytes:
    return b"".join(_text(value) for value in belongings)


def _measured(measures: Measures) -> bytes:
    """Only the cost, and what the sender says a call cost, may be unknown."""
    (
        calls, runs, tools, given, cached, written, written_1h, made, thought, cost, unpriced, unmetered, hits,
        cacheable, saved, semantic, prompt, reported,
    ) = measures  # fmt: skip
    known = _measures(
        4, calls, 4, runs, 4, tools, 8, given, 8, cached, 8, written, 8, written_1h, 8, made, 8, thought, 8, cost or 0,
        4, unpriced, 4, unmetered, 4, hits, 4, cacheable, 8, saved, 8, semantic, 8, prompt,
    )  # fmt: skip
    if cost is None:
        known = known[:_cost_at] + _NULL + known[_cost_at + 12 :]
    return known + (_NULL if reported is None else _bigint(8, reported))


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
            _facts(record),
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


def _facts(record: SpanRecord) -> bytes:
    """``mapping.facts_of`` as it is sent; what repeats from span to span is written down once."""
    (
        _, _, _, _, kind, start_ns, end_ns, name, scope, dialect, own, resource, service, operation, provider,
        request_model, response_model, response_id, usage, detail, tool, agent_run, cache_hit, tier, batch, error,
        reported, flags,
    ) = record  # fmt: skip
    if kind is SpanClass.PLAIN or not start_ns or not end_ns or usage is None:
        return _jsonb(mapping.facts_of(record))
    said = (
        name, scope, dialect, resource, service, operation, provider, request_model, response_model, detail, tool,
        agent_run, cache_hit, tier, batch, error, flags,
    )  # fmt: skip
    text = b"".join(
        (
            b'{"start_ns":%d,"end_ns":%d,"usage":' % (start_ns, end_ns),
            _json(mapping.counts_of(usage)),
            b"" if response_id is None else b',"response_id":' + _json(response_id),
            b"" if own is NO_DIMENSIONS else _owned(own),
            b"" if reported is None else b',"reported_cost_pico_usd":%d' % reported,
            _repeating(said),
        )
    )
    return _json_start(len(text) + 1, _JSONB) + text


@lru_cache(REMEMBERED_MAX)
def _owned(own: Dimensions) -> bytes:
    return b',"own":' + _json(own)


@lru_cache(REMEMBERED_MAX)
def _repeating(said: tuple[object, ...]) -> bytes:
    """The end of facts: those of ``_REPEATING`` that are not as in a span that says nothing."""
    values = zip(_REPEATING, said, _UNSAID, strict=True)
    text = _json({name: value for name, value, unsaid in values if value != unsaid})
    return b"," + text[1:] if len(text) > len(b"{}") else b"}"


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

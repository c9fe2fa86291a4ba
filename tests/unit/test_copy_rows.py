"""Rows of spans as they are sent to the database hold the whole record, whatever it says."""

import json
from struct import unpack_from

from hypothesis import example, given
from hypothesis import strategies as st

from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.trace_node import Node
from finops.usage import TokenUsage
from ledger import copy_rows, mapping
from ledger.settling import Kept

NULL = -1
FACTS = mapping.SPAN_COLUMNS.index("facts")
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
maybe = st.none() | words
counts = st.integers(0, 10**6)
moments = st.just(0) | st.integers(1, 2**62)
dimensions = st.builds(Dimensions, maybe, maybe, maybe, maybe, maybe, maybe)
records = st.builds(
    SpanRecord,
    tenant=words,
    trace_id=st.just(bytes(16)),
    span_id=st.just(bytes(8)),
    parent_id=st.sampled_from([b"", bytes(8)]),
    span_class=st.sampled_from(SpanClass),
    start_ns=moments,
    end_ns=moments,
    name=words,
    scope=words,
    dialect=words,
    own=dimensions,
    resource=dimensions,
    service=words,
    operation=words,
    provider=maybe,
    request_model=maybe,
    response_model=maybe,
    response_id=maybe,
    usage=st.none() | st.builds(TokenUsage, *[st.just(0) | counts] * len(TokenUsage._fields)),
    usage_detail=st.integers(0, 13),
    tool=maybe,
    agent_run=maybe,
    cache_hit=st.sampled_from([None, "exact", "semantic"]),
    service_tier=maybe,
    batch=st.booleans(),
    error=st.booleans(),
    reported_cost_pico_usd=st.none() | st.integers(0, 2**62),
    flags=st.lists(words, max_size=3).map(tuple),
)


def fields_of(row: bytes) -> list[bytes | None]:
    """A row of a binary COPY."""
    (number,), at = unpack_from(">h", row), 2
    found: list[bytes | None] = []
    for _ in range(number):
        (length,) = unpack_from(">i", row, at)
        at += 4
        found.append(None if length == NULL else row[at : at + length])
        at += max(length, 0)
    assert at == len(row)
    return found


def kept_of(record: SpanRecord) -> SpanRecord:
    node = Node()
    node.record, node.arrived = record, True
    row = fields_of(copy_rows.spans([node], {id(node): Kept("acme", None)}, 10**18))
    text = row[FACTS]
    facts = None if text is None else json.loads(text[1:])
    return mapping.record_from(record.tenant, record.trace_id, record.span_id, record.parent_id, record[4], facts)


@given(records)
@example(SpanRecord("", bytes(16), bytes(8), b"", SpanClass.CALL, 1, 2, usage=TokenUsage()))
def test_a_row_of_a_span_holds_what_the_span_says(record: SpanRecord) -> None:
    expected = record
    if record.span_class is SpanClass.PLAIN and record.own == Dimensions():
        expected = SpanRecord(*record[:4], SpanClass.PLAIN, 0, 0)  # a mere link is kept without facts
    assert kept_of(record) == expected


@given(records)
def test_facts_are_kept_without_what_a_span_leaves_unsaid(record: SpanRecord) -> None:
    facts = mapping.facts_of(record)
    if facts is None:
        return
    assert (record.usage is None) == ("usage" not in facts)
    if record.usage is not None:
        assert facts["usage"] == mapping.counts_of(record.usage)
        assert TokenUsage(*mapping.counts_of(record.usage)) == record.usage
        assert len(mapping.counts_of(record.usage)) >= len(("input", "output"))

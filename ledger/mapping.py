"""Span records and entries as rows, both directions side by side; names of columns and facts live here only."""

from datetime import UTC, datetime, timedelta

from finops.counting import StoredSpan
from finops.entries import Belongings, Entry, Measures
from finops.entry_terms import Terms, told
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PLAIN = SpanRecord("", b"", b"", b"", SpanClass.PLAIN, 0, 0)
_IN_COLUMNS = 5
"""The first fields of a record (identity, parent, class) are columns of their own."""
_FACT_NAMES = SpanRecord._fields[_IN_COLUMNS:]
_FACT_DEFAULTS = tuple(_PLAIN)[_IN_COLUMNS:]
_NO_SPECIAL_COUNTS = (0,) * (len(TokenUsage._fields) - 2)

ENTRY_COLUMNS = (
    "event_time",
    "tenant",
    "trace_id",
    "span_id",
    "revision",
    *Belongings._fields,
    *Measures._fields,
    "rate_version",
    *Terms._fields,
)
SPAN_COLUMNS = (
    "tenant",
    "trace_id",
    "span_id",
    "parent_id",
    "class",
    "event_time",
    "arrived_at",
    "facts",
    "scope",
    "id_key",
    "twin_key",
    "verdict",
    "reason",
    "revision",
    "posted",
    "would_cost_pico",
    "org_id",
)


def time_of(unix_ns: int) -> datetime:
    """A moment as PostgreSQL keeps it, cut to the microsecond."""
    return EPOCH + timedelta(microseconds=unix_ns // 1000)


def ns_of(moment: datetime) -> int:
    """Unix nanoseconds of a moment, exactly."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def facts_of(record: SpanRecord) -> dict[str, object] | None:
    """What a span says of itself as JSON, defaults left out; None for a plain link that says nothing."""
    if record.span_class is SpanClass.PLAIN and record.own == _PLAIN.own:
        return None
    values = zip(_FACT_NAMES, record[_IN_COLUMNS:], _FACT_DEFAULTS, strict=True)
    facts: dict[str, object] = {name: value for name, value, default in values if value != default}
    if record.usage is not None:
        facts["usage"] = counts_of(record.usage)
    return facts


def counts_of(usage: TokenUsage) -> tuple[int, ...]:
    """The counts up to the last that is not 0, the first two at least."""
    if usage[2:] == _NO_SPECIAL_COUNTS:
        return usage[:2]
    last = len(usage)
    while not usage[last - 1]:
        last -= 1
    return usage[: max(last, 2)]


def record_from(tenant: str, trace_id: bytes, span_id: bytes, parent_id: bytes, kind: int, facts: object) -> SpanRecord:
    """The record that ``facts_of`` wrote down."""
    record = SpanRecord(tenant, trace_id, span_id, parent_id, SpanClass(kind), 0, 0)
    if facts is None:
        return record
    assert isinstance(facts, dict)
    said = dict(facts)
    for name, shape in (("own", Dimensions), ("resource", Dimensions), ("usage", TokenUsage), ("flags", tuple)):
        if said.get(name) is not None:
            value = said[name]
            assert isinstance(value, list | tuple)
            said[name] = tuple(value) if shape is tuple else shape(*value)
    return record._replace(**said)


def stored_span_from(row: tuple[object, ...]) -> tuple[tuple[str, bytes], StoredSpan]:
    """A row of restore_traces.sql as its trace's key and the span."""
    tenant, trace_id, span_id, parent_id, kind, event_time, facts, verdict, reason, revision, posted = row
    key = (str(tenant), bytes(trace_id))  # type: ignore[call-overload]
    record = record_from(*key, bytes(span_id), bytes(parent_id), int(str(kind)), facts)  # type: ignore[call-overload]
    assert isinstance(event_time, datetime)
    digest = None if posted is None else bytes(posted)  # type: ignore[call-overload]
    return key, StoredSpan(record, ns_of(event_time), str(verdict), str(reason), int(str(revision)), digest)


def entry_from(row: tuple[object, ...]) -> Entry:
    """A row in the order of ``ENTRY_COLUMNS`` as an entry."""
    moment, tenant, trace_id, span_id, revision = row[:5]
    assert isinstance(moment, datetime)
    middle = 5 + len(Belongings._fields)
    end = middle + len(Measures._fields)
    belongings = Belongings(*(str(value) for value in row[5:middle]))
    measures = Measures(*row[middle:end])  # type: ignore[arg-type]
    rate_version, terms = row[end], Terms(*row[end + 1 :])  # type: ignore[arg-type]
    return Entry(
        ns_of(moment),
        str(tenant),
        bytes(trace_id),  # type: ignore[call-overload]
        bytes(span_id),  # type: ignore[call-overload]
        int(str(revision)),
        belongings,
        measures,
        None if rate_version is None else int(str(rate_version)),
        told(terms, measures, ns_of(moment)),
    )

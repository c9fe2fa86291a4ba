"""Names replaced in traces: what their spans say then, and the digests of what stands for them.

Verdicts and prices stay, so nothing is posted anew; only what the digests are made of changes. A span can have its
user or session from an ancestor or a copy of another organisation, which is asked for its own: where replacing would
change for one organisation what the other stated, the span is made to say itself what it has been taken for.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from finops.counting import CallCounter, StoredSpan, TraceKey
from finops.erasure import Kind
from finops.invariants import Identity, identity_of, replayed
from finops.posting_digests import digests, stands
from finops.postings import Posting
from finops.spans import SpanRecord
from finops.verdicts import Decision

ROUNDS_MAX = 20
Traces = Mapping[TraceKey, list[StoredSpan]]


class Names(Protocol):
    """What replaces names, in an organisation's spans and in what stands for any."""

    def in_record(self, record: SpanRecord) -> SpanRecord: ...
    def in_posting(self, posting: Posting, *, owned: bool) -> Posting: ...


class ChangedSpan(NamedTuple):
    """A span as it is to be kept now."""

    record: SpanRecord
    posted: bytes | None


def without_names(
    names: Names, traces: Traces, others: Traces, owned: set[Identity], decisions: Iterable[Decision]
) -> list[ChangedSpan]:
    """What changes in ``traces``, and in ``others``, which hold copies of their calls.

    ``owned`` are the spans of the organisation that have to lose them, ``decisions`` what a counter that was given
    everything has decided.
    """
    before = {identity_of(one): one.posting for one in decisions}
    held = {**traces, **others}
    stored = {(*key, span.record.span_id): span for key, spans in held.items() for span in spans}
    records = {identity: names.in_record(stored[identity].record) for identity in owned if identity[:2] in traces}
    wanted = {
        identity: posting and names.in_posting(posting, owned=identity in owned) for identity, posting in before.items()
    }
    after = _postings(traces, others, records)
    for _ in range(ROUNDS_MAX):
        wrong = [identity for identity, posting in wanted.items() if _differ(posting, after.get(identity))]
        if not wrong:
            break
        for identity in wrong:
            record = records.get(identity, stored[identity].record)
            records[identity] = _saying(record, wanted[identity], after[identity])
        after = _postings(traces, others, records)
    changed = ((stored[identity], identity) for identity in {*records, *before} if identity in stored)
    found = [_changed(span, records.get(identity), before, after, identity) for span, identity in changed]
    return [one for one in found if one is not None]


def _changed(
    span: StoredSpan,
    record: SpanRecord | None,
    before: Mapping[Identity, Posting | None],
    after: Mapping[Identity, Posting | None],
    identity: Identity,
) -> ChangedSpan | None:
    """None where the span stays as it is. A digest that was not of what stands is left alone."""
    posted, record = span.posted, span.record if record is None else record
    if identity in before and identity in after and stands(before[identity], posted):
        now = after[identity]
        posted = None if now is None else digests(now)
    return None if (record, posted) == (span.record, span.posted) else ChangedSpan(record, posted)


def _postings(traces: Traces, others: Traces, records: Mapping[Identity, SpanRecord]) -> dict[Identity, Posting | None]:
    counter = counter_of(_with(traces, records), _with(others, records))
    return {identity_of(one): one.posting for one in counter.decide()}


def counter_of(traces: Traces, others: Traces) -> CallCounter:
    """A counter to which the spans of ``traces`` are new and those of ``others`` known."""
    counter = replayed(traces)
    for key, spans in others.items():
        counter.restore(key, spans)
    return counter


def _with(traces: Traces, records: Mapping[Identity, SpanRecord]) -> Traces:
    return {
        key: [span._replace(record=records.get((*key, span.record.span_id), span.record)) for span in spans]
        for key, spans in traces.items()
    }


def _names(posting: Posting) -> Mapping[Kind, str]:
    return {Kind.USER: posting.user_id, Kind.SESSION: posting.session_id}


def _differ(one: Posting | None, other: Posting | None) -> bool:
    return one is not None and other is not None and _names(one) != _names(other)


def _saying(record: SpanRecord, wanted: Posting | None, found: Posting | None) -> SpanRecord:
    """The span saying itself what it has to be taken for, where it is taken for something else."""
    assert wanted is not None
    assert found is not None
    other = _names(found)
    said = {kind.value: name for kind, name in _names(wanted).items() if name != other[kind]}
    return record._replace(own=record.own._replace(**said))

"""What must be true of any ledger at any time, by name; and what counting again must come to.

The list is the contract of ``agent-finops verify``. How the ledger is read, and when, is left to ``ledger.verify``.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from finops.counting import CallCounter, StoredSpan, TraceKey
from finops.entries import Belongings, Entry, call_facts, facts_of_entry
from finops.postings import Posting
from finops.verdicts import Decision

EXAMPLES_MAX = 5
_STATED_BY_POSTING = tuple(name for name in Belongings._fields if name not in ("provider", "model_id"))


class Invariant(NamedTuple):
    """One thing that must hold. ``statement`` is for people."""

    name: str
    statement: str


ENTRIES_UNIQUE = Invariant("entriesUnique", "a revision of a span is one entry")
STANDING = Invariant("standing", "what stands for a span is the one entry its verdict says, or none")
REVERSALS = Invariant("reversals", "a reversal takes back one entry, exactly and once")
LINES = Invariant("lines", "a cost is the sum of its lines, a line is tokens times rate, rounded once, half to even")
USAGE_15M = Invariant("usage15m", "sums by quarter hour are the sums of entries, to the last pico-USD")
USAGE_1D = Invariant("usage1d", "sums by day are the sums of entries, to the last pico-USD")
SLOTS = Invariant("sessionSlots", "the slots of the sliding windows are the sums of entries, to the last pico-USD")
INTAKE = Invariant("intake", "received = posted + redelivered + suspense + ignored, and as much is kept as counted")
NOT_NEGATIVE = Invariant("notNegative", "nothing that stands is below zero, and no span stands for two calls")
AUDIT = Invariant("audit", "no row of the audit trail was changed or taken out")
RECOUNT = Invariant("recount", "counting the stored spans again comes to the verdicts and postings that stand")

STORED = (ENTRIES_UNIQUE, STANDING, REVERSALS, LINES, USAGE_15M, USAGE_1D, SLOTS, INTAKE, NOT_NEGATIVE)
"""Those that the database can tell by itself."""


class Check(NamedTuple):
    """How one invariant was found."""

    invariant: Invariant
    checked: int
    """Rows, or spans, that were looked at."""
    mismatches: int
    examples: tuple[Mapping[str, object], ...] = ()
    """At most ``EXAMPLES_MAX``."""
    unfinished: str = ""
    """Why it could not be found out; '' where it could."""

    @property
    def holds(self) -> bool:
        """Checked to the end, and true."""
        return not self.mismatches and not self.unfinished


class Mismatch(NamedTuple):
    """A span that comes to something else when it is counted again."""

    tenant: str
    trace_id: bytes
    span_id: bytes
    what: str
    """verdict, posting, missing, or the field of the entry that differs."""
    stands: str
    recounted: str


Identity = tuple[str, bytes, bytes]


def replayed(traces: Mapping[TraceKey, Iterable[StoredSpan]]) -> CallCounter:
    """A counter to which the spans are all new, as if they had just arrived together."""
    counter = CallCounter()
    for key, spans in traces.items():
        counter.restore(key, ())
        counter.accept([(span.record, span.event_ns) for span in spans])
    return counter


def identity_of(decision: Decision) -> Identity:
    """(tenant, trace_id, span_id) of the span decided on."""
    record = decision.node.record
    return record.tenant, record.trace_id, record.span_id


def posted_digest(posting: Posting | None) -> bytes | None:
    """What the ledger keeps with a span of what it has posted for it."""
    return None if posting is None else posting.digest() + posting.price_digest()


def recount(decisions: Iterable[Decision], stored: Mapping[Identity, StoredSpan]) -> Iterator[Mismatch]:
    """Where counting again comes to other verdicts or postings than ``stored`` says. Other spans are passed over."""
    left = dict(stored)
    for decision in decisions:
        identity = identity_of(decision)
        span = left.pop(identity, None)
        if span is None:
            continue
        stands, now = (span.verdict, span.reason), (decision.verdict, decision.reason)
        if stands != now:
            yield Mismatch(*identity, "verdict", ": ".join(stands), ": ".join(now))
        elif span.posted != posted_digest(decision.posting):
            yield Mismatch(*identity, "posting", _hex(span.posted), _hex(posted_digest(decision.posting)))
    for identity, span in left.items():
        yield Mismatch(*identity, "missing", span.verdict, "")


def entry_mismatches(posting: Posting, entry: Entry) -> Iterator[Mismatch]:
    """Where the entry that stands says something else than the posting it was made of. Prices are not compared."""
    measures = entry.measures
    pairs: list[tuple[str, object, object]] = [
        (name, getattr(entry.belongings, name), getattr(posting, name)) for name in _STATED_BY_POSTING
    ]
    pairs += [
        ("event_time", entry.event_ns, posting.event_ns),
        ("calls", measures.calls, posting.calls),
        ("agent_runs", measures.agent_runs, posting.agent_runs),
        ("tool_calls", measures.tool_calls, posting.tool_calls),
    ]
    if posting.calls:
        pairs.append(("priced by", facts_of_entry(entry), call_facts(posting)))
    for name, stands, recounted in pairs:
        if stands != recounted:
            yield Mismatch(entry.tenant, entry.trace_id, entry.span_id, name, str(stands), str(recounted))


def _hex(digest: bytes | None) -> str:
    return "nothing" if digest is None else digest.hex()

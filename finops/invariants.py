"""What must be true of any ledger at any time, by name; and what counting again must come to.

The list is the contract of ``agent-finops verify``. How the ledger is read, and when, is left to ``ledger.verify``.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from finops.counting import CallCounter, StoredSpan, TraceKey
from finops.entries import Belongings, Entry, call_facts, facts_of_entry
from finops.model_catalogue import DaySlots
from finops.offers import Offer
from finops.posting_digests import digests, stands
from finops.postings import Posting
from finops.price_book import PriceBook
from finops.pricing import Priced, Unpriced, price, price_by
from finops.rates import OperatorRate, flat
from finops.reprice import repriced
from finops.verdicts import Decision

EXAMPLES_MAX = 5
NO_SUCH_VERSION = "noSuchVersion"
_STATED_BY_POSTING = tuple(name for name in Belongings._fields if name not in ("provider", "model_id"))


class Invariant(NamedTuple):
    """One thing that must hold. ``statement`` is for people."""

    name: str
    numbers: str
    """Which of the numbered promises of docs/delivery.md it is a part of, separated by spaces."""
    statement: str


ENTRIES_UNIQUE = Invariant("entriesUnique", "I2", "a revision of a span is one entry")
STANDING = Invariant("standing", "I2", "what stands for a span is the one entry its verdict says, or none")
REVERSALS = Invariant("reversals", "I2", "a reversal takes back one entry, exactly and once")
LINES = Invariant(
    "lines", "I7", "a cost is the sum of its lines, a line is tokens times rate, rounded once, half to even"
)
USAGE_15M = Invariant("usage15m", "I4 I5", "sums by quarter hour are the sums of entries, to the last pico-USD")
USAGE_1D = Invariant("usage1d", "I4 I5", "sums by day are the sums of entries, to the last pico-USD")
USAGE_BLOCKS = Invariant(
    "usageBlocks", "I4 I5", "sums of blocks are those of their quarter hours, to the last pico-USD"
)
SLOTS = Invariant(
    "sessionSlots", "I4 I9", "the slots of the sliding windows are the sums of entries, to the last pico-USD"
)
HEADS = Invariant("sessionHeads", "I9", "the heads of sessions say what their slots say, and bound every window")
INTAKE = Invariant(
    "intake", "I8", "received = posted + redelivered + suspense + ignored, and as much is kept as counted"
)
VERDICTS = Invariant("verdictSums", "I8", "sums of spans by verdict are those of the spans that are kept")
NOT_NEGATIVE = Invariant("notNegative", "I10", "nothing that stands is below zero, and no span stands for two calls")
RATES = Invariant("rates", "I11", "every version of a rate is as the audit trail tells it, and none is missing")
TENANTS = Invariant("tenants", "I13", "what a sender of one organisation sent belongs to that organisation")
TOLD_ONCE = Invariant(
    "toldOnce", "I14", "one open anomaly a session, one firing of an alert, one of a threshold a period"
)
AUDIT = Invariant("audit", "I11", "no row of the audit trail was changed or taken out")
RECOUNT = Invariant("recount", "I2", "counting the stored spans again comes to the verdicts and postings that stand")
PRICES = Invariant("prices", "I7", "entries cost what the version of the rates they name makes of their tokens")

STORED = (
    ENTRIES_UNIQUE, STANDING, REVERSALS, LINES, USAGE_15M, USAGE_1D, USAGE_BLOCKS, SLOTS, HEADS, INTAKE, VERDICTS,
    NOT_NEGATIVE, RATES, TENANTS, TOLD_ONCE,
)  # fmt: skip
"""Those that the database can tell by itself."""


class Elsewhere(NamedTuple):
    """A promise, or the part of one, that the ledger alone cannot prove."""

    number: str
    statement: str
    why: str


ELSEWHERE = (
    Elsewhere("I1", "what was acknowledged is stored", "only the sender knows what was acknowledged; the storms do"),
    Elsewhere("I3", "what is stored was sent", "only the sender knows what was sent; the storms do"),
    Elsewhere("I6", "the ledger comes to what the sender used", "only the sender knows what it used; the storms do"),
    Elsewhere(
        "I12", "no text of a prompt is stored", "the ledger cannot tell a prompt; tests send one and look for it"
    ),
    Elsewhere("I13", "nobody reads another organisation's rows", "is about answers; the access matrix asks for them"),
)


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


def recount(decisions: Iterable[Decision], stored: Mapping[Identity, StoredSpan]) -> Iterator[Mismatch]:
    """Where counting again comes to other verdicts or postings than ``stored`` says. Other spans are passed over."""
    left = dict(stored)
    for decision in decisions:
        identity = identity_of(decision)
        span = left.pop(identity, None)
        if span is None:
            continue
        kept, now = (span.verdict, span.reason), (decision.verdict, decision.reason)
        if kept != now:
            yield Mismatch(*identity, "verdict", ": ".join(kept), ": ".join(now))
        elif not stands(decision.posting, span.posted):
            yield Mismatch(
                *identity, "posting", _hex(span.posted), _hex(decision.posting and digests(decision.posting))
            )
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
    for name, standing, recounted in pairs:
        if standing != recounted:
            yield Mismatch(entry.tenant, entry.trace_id, entry.span_id, name, str(standing), str(recounted))


def price_by_version(
    entry: Entry, versions: Mapping[int, OperatorRate], catalogue: PriceBook
) -> Priced | Unpriced | None:
    """What the version of the rates that a call's entry names makes of its tokens.

    ``versions`` are all that were ever stored, ``catalogue`` is a book without any. None where it names none, or a
    catalogue other than this one, or a deployment, which may since run another model.
    """
    detail, version = entry.detail or {}, entry.rate_version
    source = detail.get("source")
    if version is None:
        return None
    if source == "catalogue":
        flags = detail.get("flags")
        renamed = isinstance(flags, list) and "deployment" in flags
        same = version == catalogue.catalogue.version and not renamed
        return price(facts_of_entry(entry), catalogue) if same else None
    provider, model_id = entry.belongings.provider, entry.belongings.model_id
    rate = versions.get(version)
    if rate is None or rate.ended or rate.source != source:
        return Unpriced(NO_SUCH_VERSION, provider, model_id)
    day = DaySlots((0,), (flat(rate.stated),))
    offer = Offer(provider, model_id, rate.source, version, str(detail.get("matchRule")), "standard", (), day)
    facts = facts_of_entry(entry)
    return price_by(offer, facts.usage, facts.at_ns)


def price_mismatch(entry: Entry, priced: Priced | Unpriced) -> Mismatch | None:
    """Where the money of ``entry``, or the model it is for, is not what it comes to at this price."""
    again = repriced(entry, priced, "")
    if again is entry:
        return None
    return Mismatch(entry.tenant, entry.trace_id, entry.span_id, "price", _price_of(entry), _price_of(again))


def _price_of(entry: Entry) -> str:
    measures, who = entry.measures, entry.belongings
    pico = (measures.cost_pico, measures.semantic_savings_pico, measures.prompt_savings_pico)
    return f"{who.provider}/{who.model_id} cost, saved by answers, by prompts (pico-USD): {pico}"


def _hex(digest: bytes | None) -> str:
    return "nothing" if digest is None else digest.hex()

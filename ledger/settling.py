"""What decisions come to: the entries that bring the ledger to them, and what is kept with each span.

No database here. Entries come one after the other, so whoever sends them to the server can do so while the next ones
are made.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from finops.entries import Entry, moved, reversal
from finops.entry_terms import Written, written
from finops.posting_digests import digests, is_priced_alike, stands
from finops.postings import DEFAULT_ORG, Posting
from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, Unpriced, price
from finops.spans import SpanRecord
from finops.trace_node import NO_CONTEXT, Context, Node
from finops.verdicts import Decision

ENTRIES_AT_ONCE = 128
"""Decisions settled before their entries are handed on."""


class Kept(NamedTuple):
    """What is kept with a span beside what it says and its verdict."""

    org_id: str
    would_cost_pico: int | None


class Settling:
    """The decisions of one append, priced by one book. Writes on their nodes what will stand for them.

    Without any decision there need be no book.
    """

    def __init__(self, decisions: Sequence[Decision], book: PriceBook | None) -> None:
        self._decisions = decisions
        self._book = book
        self.changed: list[Node] = []
        """Spans that are new or have another verdict."""
        self.kept: dict[int, Kept] = {}
        """By the id() of the node."""
        self.entries: list[Written] = []

    def corrected(self) -> list[Node]:
        """The nodes for which another entry will stand than does now."""
        return [d.node for d in self._decisions if d.node.posted is not None and not stands(d.posting, d.node.posted)]

    def settle(self, standing: Mapping[int, Entry]) -> Iterator[list[Written]]:
        """The entries to write, some at a time. ``standing``: what stands for ``corrected``."""
        decisions, entries = self._decisions, self.entries
        for first in range(0, len(decisions), ENTRIES_AT_ONCE):
            before = len(entries)
            for decision in decisions[first : first + ENTRIES_AT_ONCE]:
                self._settle(decision, standing.get(id(decision.node)))
            if len(entries) > before:
                yield entries[before:]

    def keep(self, nodes: Sequence[Node]) -> None:
        """Says what to keep with nodes that no decision is about."""
        for node in nodes:
            if id(node) not in self.kept:
                self.kept[id(node)] = self._kept_alone(node)

    def _settle(self, decision: Decision, old: Entry | None) -> None:
        """Brings one span's verdict, and what stands for it in the ledger, to what was decided."""
        node, posting = decision.node, decision.posting
        entry = None
        if not stands(posting, node.posted):
            if old is not None:
                node.revision += 1
                self.entries.append(Written(reversal(old, node.revision)))
            if posting is not None:
                node.revision += 1
                self.entries.append(self._written(posting, node, old))
                entry = self.entries[-1].entry
            node.posted = None if posting is None else digests(posting)
            node.posted_ns = node.event_ns
        elif node.stored and node.verdict == decision.verdict and node.reason == decision.reason:
            return
        node.verdict, node.reason = decision.verdict, decision.reason
        self.changed.append(node)
        self.kept[id(node)] = self._kept(decision, entry)

    def _written(self, posting: Posting, node: Node, old: Entry | None) -> Written:
        """At the price it had where only its belongings changed: history is repriced on purpose only."""
        if old is not None and node.posted is not None and is_priced_alike(posting, node.posted):
            return Written(moved(old, posting, node.revision))
        return written(posting, node.revision, self._price)

    def _price(self, call: CallFacts) -> Priced | Unpriced:
        assert self._book is not None
        return price(call, self._book)

    def _kept(self, decision: Decision, entry: Entry | None) -> Kept:
        """What is kept with a span beside its verdict: billed, it would cost what stands in the ledger for it."""
        node, posting = decision.node, decision.posting
        if decision.verdict == "billed" and entry is not None:
            return Kept(entry.belongings.org_id, entry.measures.cost_pico)
        kept = self._kept_alone(node)
        return kept if posting is None else kept._replace(org_id=posting.org_id)

    def _kept_alone(self, node: Node) -> Kept:
        return Kept(org_of(node.record, node.context), self.naive_cost(node.record, node.event_ns))

    def naive_cost(self, record: SpanRecord, event_ns: int) -> int | None:
        """``naive_cost`` by the book of this append."""
        assert self._book is not None
        return naive_cost(record, event_ns, self._book)


def org_of(record: SpanRecord, context: Context = NO_CONTEXT) -> str:
    """Whose span it is, as far as it, its ancestors (``context``) and its resource say."""
    return record.tenant or context.org or record.own.org or record.resource.org or DEFAULT_ORG


def naive_cost(record: SpanRecord, event_ns: int, book: PriceBook) -> int | None:
    """What a naive sum over spans adds for this one, in pico-USD; None: no usage stated, or no price."""
    if record.usage is None:
        return None
    facts = CallFacts(
        record.tenant or record.own.org or record.resource.org or "",
        record.provider,
        record.request_model,
        record.response_model,
        record.operation,
        record.usage,
        record.start_ns or event_ns,
        record.service_tier,
        record.batch,
    )
    priced = price(facts, book)
    return priced.cost_pico if isinstance(priced, Priced) else None

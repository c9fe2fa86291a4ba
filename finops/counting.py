"""Which spans bill and which repeat: each call to a model once, whatever the order, the batches or the instrumentors.

``CallCounter`` is the working memory: the traces it has been told of, joined across traces by id and by twin. It
decides from the set of spans alone, so two counters that hold the same spans agree, and a correction is simply the
difference to what had been posted. It neither prices nor stores: the ledger restores it and writes what it decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from finops.board import Board
from finops.call_scopes import CallScopes
from finops.calls import Component, calls_of, component, members
from finops.copies import SHADOW_SLACK_NS, TWIN_SLACK_NS, end_ns, is_silent, start_ns
from finops.spans import SpanClass, SpanRecord
from finops.trace_node import Node, as_it_was
from finops.trace_tree import Trace
from finops.verdicts import Decision, decide_aggregate, decide_call, decide_tool, suppressed

TraceKey = tuple[str, bytes]
"""(tenant, trace_id)."""


class StoredSpan(NamedTuple):
    """A span as the store remembers it."""

    record: SpanRecord
    event_ns: int
    verdict: str
    reason: str
    revision: int
    posted: bytes | None
    """Digest of the posting that stands in the ledger, or None."""


class Arrivals(NamedTuple):
    """What ``accept`` found: nodes seen for the first time, and counts of the rest."""

    fresh: list[Node]
    replaced: list[Node]
    redelivered: int
    conflicts: int


class TwinSearch(NamedTuple):
    """Where copies without a common id of a call may be: another scope, the same totals, about that time."""

    tenant: str
    key: bytes
    scope: str
    from_ns: int
    to_ns: int
    has_id: bool


class ShadowSearch(NamedTuple):
    """Where a copy may be that differs in having usage or not: the same service, ending at that moment."""

    tenant: str
    service: str
    from_ns: int
    to_ns: int
    silent: bool
    """True: the call has no usage, and one with usage is looked for."""


class Search(NamedTuple):
    """Response ids (tenant, key), twins and shadows to look up."""

    ids: set[tuple[str, bytes]]
    twins: set[TwinSearch]
    shadows: set[ShadowSearch]

    @classmethod
    def nothing(cls) -> "Search":
        """To begin with."""
        return cls(set(), set(), set())


TWIN_DURATION_NS_MAX = 15 * 60 * 10**9
"""A twin that took longer than this is not looked for in the store."""


class CallCounter:
    """The traces in memory. Not safe for use by two tasks at once."""

    def __init__(self) -> None:
        self._traces: dict[TraceKey, Trace] = {}
        self._open: dict[TraceKey, Trace] = {}
        """Traces with spans to decide on."""
        self._size = 0
        self._components: dict[int, Component] = {}
        """By node, from the last search to the decision."""
        self._waiting: dict[int, Node] = {}
        self._board = Board()
        self._former: list[Node] = []
        """What spans said before other contents took their place, since the last decision; in no trace."""

    def __len__(self) -> int:
        """Spans and holes held."""
        return self._size

    def holds(self, key: TraceKey) -> bool:
        """Whether the trace is in memory, complete as far as the store knows."""
        return key in self._traces

    def held(self) -> list[TraceKey]:
        """Traces held, longest unused first."""
        return list(self._traces)

    def restore(self, key: TraceKey, stored: Iterable[StoredSpan]) -> None:
        """Brings a trace into memory as the store has it; decides nothing."""
        trace = self._traces[key] = Trace(key)
        for item in stored:
            node = trace.insert(item.record)
            node.event_ns = node.posted_ns = item.event_ns
            node.stored = True
            node.verdict, node.reason = item.verdict, item.reason
            node.revision, node.posted = item.revision, item.posted
        for node in trace.spans():
            self._board.add(node)
        trace.touched.clear()
        self._size += len(trace.nodes)

    def forget(self, key: TraceKey) -> None:
        """Drops a trace from memory."""
        trace = self._traces.pop(key, None)
        self._open.pop(key, None)
        if trace is not None:
            self._size -= len(trace.nodes)
            for node in trace.spans():
                self._board.discard(node)
            trace.dissolve()

    def dissolve(self) -> None:
        """Forgets everything. What is held is full of circles, and nobody else may look for them."""
        for trace in self._traces.values():
            trace.dissolve()
        self._traces.clear()
        self._open.clear()
        self._components.clear()
        self._waiting, self._board, self._size, self._former = {}, Board(), 0, []

    def accept(self, records: Sequence[tuple[SpanRecord, int]]) -> Arrivals:
        """Adds spans with their event times (Unix ns). Their traces must be held."""
        self._components.clear()
        self._waiting = {}
        arrivals = Arrivals([], [], 0, 0)
        redelivered = conflicts = 0
        better: dict[TraceKey, dict[bytes, tuple[SpanRecord, int]]] = {}
        for record, event_ns in records:
            key = (record.tenant, record.trace_id)
            trace = self._traces[key] = self._traces.pop(key)
            known = trace.node(record.span_id)
            if known is None:
                before = len(trace.nodes)
                node = trace.insert(record)
                self._size += len(trace.nodes) - before
                self._open[key] = trace
                node.event_ns = event_ns
                self._board.add(node)
                arrivals.fresh.append(node)
                continue
            redelivered += 1
            best = better.get(key, {}).get(record.span_id, (known.record, 0))[0]
            if best == record or _both_links(best, record):
                continue
            conflicts += 1
            if completeness(record) > completeness(best):
                better.setdefault(key, {})[record.span_id] = (record, event_ns)
        for key, contents in better.items():
            arrivals.replaced.extend(self._replace(self._traces[key], contents))
        return arrivals._replace(redelivered=redelivered, conflicts=conflicts)

    def _replace(self, trace: Trace, contents: dict[bytes, tuple[SpanRecord, int]]) -> list[Node]:
        self._open[trace.key] = trace
        self._size -= len(trace.nodes)
        self._former += [as_it_was(trace.nodes[span_id]) for span_id in contents]
        for node in trace.spans():
            self._board.discard(node)
        trace.replace({span_id: record for span_id, (record, _) in contents.items()})
        for span_id, (_, event_ns) in contents.items():
            trace.nodes[span_id].event_ns = event_ns
        self._size += len(trace.nodes)
        for node in trace.spans():
            self._board.add(node)
        return [trace.nodes[span_id] for span_id in contents]

    def search(self, done: Search, scopes: CallScopes) -> Search:
        """Where the store may know copies of the touched calls, in traces not held here, beyond what is ``done``.

        Restore what is found and ask again, until nothing is left to look up: a copy may lead to another.
        """
        wanted = Search.nothing()
        self._components.clear()
        self._waiting = self._pending()
        for former in self._former:
            _look_up(former, wanted, scopes)
        for node in self._waiting.values():
            _look_up(node, wanted, scopes)
            if node.record.span_class is SpanClass.CALL:
                for member in members(self._component(node)):
                    _look_up(member, wanted, scopes)
        fresh = Search(wanted.ids - done.ids, wanted.twins - done.twins, wanted.shadows - done.shadows)
        done.ids.update(fresh.ids)
        done.twins.update(fresh.twins)
        done.shadows.update(fresh.shadows)
        return fresh

    def _pending(self) -> dict[int, Node]:
        """The nodes whose verdict may have changed since the last decision."""
        pending: dict[int, Node] = {}
        for trace in self._open.values():
            pending.update((key, node) for key, node in trace.touched.items() if node.arrived)
        for former in self._former:
            pending.update((id(other), other) for other in self._board.joined_to(former))
        for node in list(pending.values()):
            pending.update((id(other), other) for other in self._neighbours(node))
        return pending

    def _component(self, node: Node) -> Component:
        found = self._components.get(id(node))
        if found is None:
            found = self._components[id(node)] = component(node, self._board)
            self._components.update((id(member), found) for member in members(found))
        return found

    def decide(self) -> list[Decision]:
        """What every span comes to whose verdict may have changed since the last decision."""
        decisions: dict[int, Decision] = {}
        for key, node in (self._waiting or self._pending()).items():
            if key not in decisions:
                decisions.update((id(item.node), item) for item in self._decide(node))
        for trace in self._open.values():
            trace.touched.clear()
        self._open.clear()
        self._components.clear()
        self._waiting, self._former = {}, []
        return list(decisions.values())

    def _neighbours(self, node: Node) -> Iterator[Node]:
        """Other nodes whose verdict depends on this one's and that are not touched by themselves."""
        if node.exposing and len(node.exposing) <= 2:
            yield from (shown for shown in node.exposing.values() if isinstance(shown, Node))
        if node.record.span_class is SpanClass.CALL:
            yield from self._board.repeating(node)

    def _decide(self, node: Node) -> Iterator[Decision]:
        record = node.record
        kind = record.span_class
        if kind is SpanClass.CALL:
            yield from self._decide_calls(node)
        elif kind is SpanClass.AGENT or kind is SpanClass.AGGREGATE:
            yield decide_aggregate(node, self._board.has_call_with_id(node))
        elif kind is SpanClass.TOOL:
            yield decide_tool(node)
        elif kind is SpanClass.FETCH:
            yield Decision(node, "fetched", "reads an answer that was paid for elsewhere", None)
        else:
            plain = kind is SpanClass.PLAIN
            reason = "no generative-AI work: kept as a link to its parent" if plain else "neither calls nor repeats"
            yield Decision(node, "link" if plain else "ignored", reason, None)

    def _decide_calls(self, node: Node) -> Iterator[Decision]:
        verdict = suppressed(node)
        if verdict is not None:
            yield verdict
        for call in calls_of(node, self._component(node)):
            yield from decide_call(call)


def completeness(record: SpanRecord) -> tuple[object, ...]:
    """Of two contents of one span the larger is kept: tells of work, ended, states more usage, ends later, then any
    fixed order."""
    works = record.span_class is not SpanClass.PLAIN
    return (works, record.end_ns > 0, record.usage_detail, record.usage is not None, record.end_ns, repr(record))


def _look_up(node: Node, wanted: Search, scopes: CallScopes) -> None:
    record, found, key = node.record, node.id_key, node.twin_key
    if found is not None:
        wanted.ids.add((record.tenant, found))
    if record.span_class is not SpanClass.CALL:
        return
    twins = key is not None and scopes.has_twins(record.tenant, record.scope, has_id=found is not None)
    if twins and key is not None:
        span = (start_ns(node) - TWIN_SLACK_NS, end_ns(node) + TWIN_DURATION_NS_MAX)
        wanted.twins.add(TwinSearch(record.tenant, key, record.scope, *span, found is not None))
    if scopes.has_shadows(record.tenant) and (record.usage is not None or is_silent(record)):
        moment = (node.event_ns - SHADOW_SLACK_NS, node.event_ns + SHADOW_SLACK_NS)
        wanted.shadows.add(ShadowSearch(record.tenant, record.service, *moment, record.usage is None))


def _both_links(one: SpanRecord, other: SpanRecord) -> bool:
    plain = one.span_class is SpanClass.PLAIN and other.span_class is SpanClass.PLAIN
    return plain and one.parent_id == other.parent_id and one.own == other.own

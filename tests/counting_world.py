"""A store in memory and a slow, separate statement of the counting rule, for the laws of ``finops.counting``."""

from collections import Counter
from collections.abc import Iterable, Sequence

from finops.call_scopes import CallScopes
from finops.copies import id_key, twin_key
from finops.counting import CallCounter, Search, StoredSpan, TraceKey
from finops.event_time import event_time_ns
from finops.posting_digests import digests
from finops.postings import Posting
from finops.spans import SpanClass, SpanRecord
from finops.trace_node import Node

NOW_NS = 1_790_000_000 * 10**9


class World:
    """What is durable: spans as stored, and the net of all postings ever made. ``counter`` can be thrown away."""

    def __init__(self) -> None:
        self.spans: dict[TraceKey, dict[bytes, StoredSpan]] = {}
        self.standing: dict[tuple[bytes, bytes], Posting] = {}
        self.counter = CallCounter()
        self.scopes = CallScopes()
        self.conflicts = 0

    def restart(self) -> None:
        """Forgets all that is not durable."""
        self.counter = CallCounter()

    def append(self, batch: Sequence[SpanRecord]) -> None:
        """What ledger.append does, without a database."""
        self._restore({(record.tenant, record.trace_id) for record in batch})
        arrivals = self.counter.accept([(r, event_time_ns(r.start_ns, r.end_ns, NOW_NS)) for r in batch])
        self.conflicts += arrivals.conflicts
        done = Search.nothing()
        self.scopes.learn(batch)
        while any(search := self.counter.search(done, self.scopes)):
            self._restore(self._found(search))
        for decision in self.counter.decide():
            node = decision.node
            digest = digests(decision.posting) if decision.posting else None
            if digest != node.posted:
                self._post(node, decision.posting)
                node.posted, node.posted_ns = digest, node.event_ns
            node.verdict, node.reason, node.stored = decision.verdict, decision.reason, True
            self._store(node)
        for node in arrivals.replaced:
            self._store(node)

    def _post(self, node: Node, posting: Posting | None) -> None:
        key = (node.record.trace_id, node.record.span_id)
        self.standing.pop(key, None)
        if posting is not None:
            self.standing[key] = posting

    def _store(self, node: Node) -> None:
        record = node.record
        stored = StoredSpan(record, node.event_ns, node.verdict, node.reason, node.revision, node.posted)
        self.spans.setdefault((record.tenant, record.trace_id), {})[record.span_id] = stored

    def _restore(self, keys: Iterable[TraceKey]) -> None:
        for key in sorted(keys):
            if not self.counter.holds(key):
                self.counter.restore(key, self.spans.get(key, {}).values())

    def _found(self, search: Search) -> set[TraceKey]:
        ids, twins, shadows = search
        found: set[TraceKey] = set()
        for key, spans in self.spans.items():
            for stored in spans.values():
                record = stored.record
                mine = id_key(record)
                if mine is not None and (record.tenant, mine) in ids:
                    found.add(key)
                for twin in twins:
                    same = twin_key(record) == twin.key and record.scope != twin.scope
                    if same and twin.from_ns <= stored.event_ns <= twin.to_ns and not (twin.has_id and mine):
                        found.add(key)
                for shadow in shadows:
                    other = record.usage is None if not shadow.silent else record.usage is not None
                    same = (record.tenant, record.service) == (shadow.tenant, shadow.service)
                    if other and same and shadow.from_ns <= stored.event_ns <= shadow.to_ns:
                        found.add(key)
        return found

    def totals(self) -> Counter[str]:
        """Sums of what stands."""
        sums: Counter[str] = Counter()
        for posting in self.standing.values():
            sums["calls"] += posting.calls
            sums["agent_runs"] += posting.agent_runs
            sums["tool_calls"] += posting.tool_calls
            sums["hits"] += posting.cache_hit is not None
            if posting.usage is not None and posting.calls:
                sums["input"] += posting.usage.input_tokens
                sums["output"] += posting.usage.output_tokens
        return sums


def oracle_structure(records: Iterable[SpanRecord]) -> Counter[str]:
    """Sums by the rule as it reads, for traces whose calls share no id and no totals: quadratic and recursive."""
    unique = {(r.tenant, r.trace_id, r.span_id): r for r in records}
    sums: Counter[str] = Counter()
    for record in unique.values():
        kids = [r for r in _below(record, unique.values()) if r is not record]
        if record.span_class is not SpanClass.CALL or record.usage is None:
            continue
        if not any(_is_call(kid) and not _tool_between(record, kid, unique) for kid in kids):
            sums["calls"] += 1
            sums["input"] += record.usage.input_tokens
            sums["output"] += record.usage.output_tokens
    return sums


def _is_call(record: SpanRecord) -> bool:
    return record.span_class is SpanClass.CALL and record.usage is not None


def _below(top: SpanRecord, records: Iterable[SpanRecord]) -> list[SpanRecord]:
    everything = list(records)
    found, frontier = [top], [top]
    while frontier:
        parents = {(item.trace_id, item.span_id) for item in frontier}
        frontier = [r for r in everything if (r.trace_id, r.parent_id) in parents and r not in found]
        found.extend(frontier)
    return found


def _tool_between(top: SpanRecord, low: SpanRecord, unique: dict[tuple[str, bytes, bytes], SpanRecord]) -> bool:
    step = unique[(low.tenant, low.trace_id, low.parent_id)]
    while step is not top:
        if step.span_class is SpanClass.TOOL:
            return True
        step = unique[(step.tenant, step.trace_id, step.parent_id)]
    return False

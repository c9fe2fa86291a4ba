"""The index over the calls held in memory: by answer id, by totals, by service; it decides nothing."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from finops.copies import (
    ID_WINDOW_NS,
    SHADOW_SLACK_NS,
    end_ns,
    is_silent,
    name_keys,
    overlaps,
    shadows,
    start_ns,
)
from finops.spans import SpanClass
from finops.trace_node import SEVERAL, Node

SAME_ID_MAX = 64
"""Of the calls with one id, so many of the earliest are compared; later ones are replays of those."""

_ByStart = list[tuple[int, bytes, bytes, Node]]
"""Calls ordered by start, span id and trace id."""


class _Row:
    """Calls of one scope, ordered by start."""

    __slots__ = ("items", "longest")

    def __init__(self) -> None:
        self.items: list[tuple[int, int, Node]] = []
        self.longest = 0

    def add(self, node: Node) -> None:
        insort(self.items, (start_ns(node), id(node), node))
        self.longest = max(self.longest, end_ns(node) - start_ns(node))

    def discard(self, node: Node) -> None:
        at = bisect_left(self.items, (start_ns(node), id(node)))
        if at < len(self.items) and self.items[at][2] is node:
            del self.items[at]

    def around(self, node: Node) -> Iterator[Node]:
        """The calls that share time with ``node``."""
        first = start_ns(node) - self.longest - SHADOW_SLACK_NS
        last = end_ns(node) + SHADOW_SLACK_NS
        for at in range(bisect_left(self.items, (first, 0)), len(self.items)):
            start, _, other = self.items[at]
            if start > last:
                return
            if overlaps(node, other) or shadows(node, other) or shadows(other, node):
                yield other


_Rows = dict[str, _Row]
"""By instrumentation scope."""


class Board:
    """The index over every call held in memory."""

    def __init__(self) -> None:
        self._silent: dict[tuple[str, str], _Rows] = {}
        """Calls without usage, by tenant and service."""
        self._ids: dict[tuple[str, bytes], Node | _ByStart] = {}
        """By id; most calls are the only one with theirs."""
        self._repeats: dict[tuple[str, bytes], dict[int, Node]] = {}
        self._twins: dict[tuple[str, bytes], Node | _Rows] = {}
        """By totals; most calls are the only one with theirs."""
        self._served: dict[tuple[str, str], dict[int, Node]] = {}
        """Calls with usage, by tenant and service."""
        self._loud: dict[tuple[str, str], _Rows] = {}
        """The same ordered by time, for services that have calls without."""

    def add(self, node: Node) -> None:
        """Makes a call findable; other spans are passed over."""
        name_keys(node)
        record, found, key = node.record, node.id_key, node.twin_key
        if found is not None and record.span_class is SpanClass.CALL:
            self._add_id((record.tenant, found), node)
        elif found is not None:
            self._repeats.setdefault((record.tenant, found), {})[id(node)] = node
        if key is not None:
            self._add_twin((record.tenant, key), node)
            self._served.setdefault((record.tenant, record.service), {})[id(node)] = node
            if self._loud and (loud := self._loud.get((record.tenant, record.service))) is not None:
                _add(loud, node)
        if record.span_class is SpanClass.CALL and record.usage is None:
            _add(self._silent.setdefault((record.tenant, record.service), {}), node)

    def _add_id(self, key: tuple[str, bytes], node: Node) -> None:
        known = self._ids.setdefault(key, node)
        if known is node:
            return
        if isinstance(known, Node):
            known = self._ids[key] = [_placed(known)]
        insort(known, _placed(node))

    def _discard_id(self, key: tuple[str, bytes], node: Node) -> None:
        known = self._ids[key]
        if not isinstance(known, Node):
            del known[bisect_left(known, _placed(node))]
        if known is node or not known:
            del self._ids[key]

    def _add_twin(self, key: tuple[str, bytes], node: Node) -> None:
        known = self._twins.setdefault(key, node)
        if known is node:
            return
        if isinstance(known, Node):
            rows: _Rows = {}
            _add(rows, known)
            known = self._twins[key] = rows
        _add(known, node)

    def discard(self, node: Node) -> None:
        """Undoes ``add``."""
        record, found, key = node.record, node.id_key, node.twin_key
        if found is not None and record.span_class is SpanClass.CALL:
            self._discard_id((record.tenant, found), node)
        elif found is not None:
            repeats = self._repeats[record.tenant, found]
            del repeats[id(node)]
            if not repeats:
                del self._repeats[record.tenant, found]
        if key is not None:
            known = self._twins[record.tenant, key]
            if known is node or (not isinstance(known, Node) and not _discard(known, node)):
                del self._twins[record.tenant, key]
            if self._loud and (loud := self._loud.get((record.tenant, record.service))) is not None:
                _discard(loud, node)
            served = self._served[record.tenant, record.service]
            del served[id(node)]
            if not served:
                del self._served[record.tenant, record.service]
        home = (record.tenant, record.service)
        if record.span_class is SpanClass.CALL and record.usage is None and not _discard(self._silent[home], node):
            del self._silent[home]
            self._loud.pop(home, None)

    def same_id(self, node: Node) -> Iterable[Node]:
        """Calls with the id of ``node``, at most a day apart, the first of them only."""
        if node.id_key is None:
            return ()
        known = self._ids.get((node.record.tenant, node.id_key), ())
        if isinstance(known, Node):
            return (known,)
        start = start_ns(node)
        first = bisect_left(known, (start - ID_WINDOW_NS,))
        near = known[first : first + SAME_ID_MAX]
        return [other for at, _, _, other in near if at <= start + ID_WINDOW_NS]

    def alone(self, node: Node) -> bool:
        """Whether no other call here has the id, and none of another scope the totals, of ``node``."""
        tenant = node.record.tenant
        if node.id_key is not None and self._ids.get((tenant, node.id_key), node) is not node:
            return False
        if self._silent and (tenant, node.record.service) in self._silent:
            return False
        known = self._twins.get((tenant, node.twin_key)) if node.twin_key is not None else None
        return known is None or isinstance(known, Node) or len(known) == 1

    def twins(self, node: Node) -> Iterator[Node]:
        """Calls of other scopes that share the time of ``node``, and its totals or a record without usage."""
        record = node.record
        if node.twin_key is not None:
            twins = _others(_rows(self._twins.get((record.tenant, node.twin_key)), node), node)
            yield from (other for other in twins if (other.record.cache_hit is None) == (record.cache_hit is None))
        if is_silent(record):
            loud = self._loud_calls(record.tenant, record.service)
            yield from (other for other in _others(loud, node) if shadows(node, other))
        elif record.usage is not None and self._silent:
            silent = self._silent.get((record.tenant, record.service), {})
            yield from (other for other in _others(silent, node) if shadows(other, node))

    def joined_to(self, former: Node) -> list[Node]:
        """Whatever depended on a node that is not here any more, beyond its own trace."""
        record = former.record
        found = [*self.repeating(former)]
        if record.span_class is SpanClass.CALL:
            found += [*self.same_id(former), *self.twins(former)]
            home = (record.tenant, record.service)
            if home not in self._silent:
                self._loud.pop(home, None)
        return found

    def _loud_calls(self, tenant: str, service: str) -> _Rows:
        """Calls with usage of a service by time; put in order when its first call without usage comes."""
        rows = self._loud.get((tenant, service))
        if rows is None:
            rows = self._loud[tenant, service] = {}
            for node in self._served.get((tenant, service), {}).values():
                _add(rows, node)
        return rows

    def has_call_with_id(self, node: Node) -> bool:
        """Whether a call carries the response id that ``node``, an aggregate, repeats."""
        return node.id_key is not None and (node.record.tenant, node.id_key) in self._ids

    def repeating(self, node: Node) -> Iterable[Node]:
        """Aggregates that repeat the response id of ``node``, a call."""
        if node.id_key is None or not self._repeats:
            return ()
        return list(self._repeats.get((node.record.tenant, node.id_key), {}).values())


def _placed(node: Node) -> tuple[int, bytes, bytes, Node]:
    return (start_ns(node), node.record.span_id, node.record.trace_id, node)


def _add(rows: _Rows, node: Node) -> None:
    rows.setdefault(node.record.scope, _Row()).add(node)


def _discard(rows: _Rows, node: Node) -> bool:
    """Undoes ``_add``; False when nothing is left."""
    row = rows[node.record.scope]
    row.discard(node)
    if not row.items:
        del rows[node.record.scope]
    return bool(rows)


def _rows(known: Node | _Rows | None, but: Node) -> _Rows:
    """Calls of one key in order; a single one is not kept so."""
    if known is None or known is but:
        return {}
    if not isinstance(known, Node):
        return known
    rows: _Rows = {}
    _add(rows, known)
    return rows


def _others(rows: _Rows, node: Node) -> Iterator[Node]:
    for scope, row in list(rows.items()):
        if scope != node.record.scope:
            yield from (other for other in row.around(node) if other.exposed is not SEVERAL)

"""Finds the records of one real call among all spans held: a walk over wraps, ids, twins and shadows."""

from collections.abc import Iterator

from finops.board import Board
from finops.copies import (
    SHADOW_SLACK_NS,
    Call,
    compatible_models,
    end_ns,
    is_far_wrapper,
    overlaps,
    rank,
    shadows,
    split_calls,
    start_ns,
)
from finops.spans import SpanClass
from finops.trace_node import Node, counts_as_call

UNITS_MAX = 4096
"""So many records with equal totals at one time, and none of them is taken for a copy of another by its numbers."""


class _Unit:
    """Records that are joined by wraps and by the id."""

    __slots__ = ("end", "has_id", "homes", "nodes", "order", "scopes", "traces")

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        self.scopes = {node.record.scope for node in nodes}
        self.has_id = any(node.id_key is not None for node in nodes)
        self.order = min((start_ns(node), node.record.trace_id, node.record.span_id) for node in nodes)
        self.end = max(end_ns(node) for node in nodes)
        self.traces = {node.record.trace_id for node in nodes}
        self.homes = {(node.record.trace_id, node.record.parent_id) for node in nodes}


class _Group:
    """Units taken for one call so far."""

    __slots__ = ("end", "has_id", "homes", "scopes", "traces", "units")

    def __init__(self, unit: _Unit) -> None:
        self.units = [unit]
        self.end, self.has_id = unit.end, unit.has_id
        self.scopes, self.traces, self.homes = set(unit.scopes), set(unit.traces), set(unit.homes)

    def takes(self, unit: _Unit) -> bool:
        """Whether the unit may be the same call: different scopes, no two ids, a pair that fits."""
        if (self.has_id and unit.has_id) or not self.scopes.isdisjoint(unit.scopes):
            return False
        return any(_fits(one, two) for known in self.units for one in known.nodes for two in unit.nodes)

    def distance(self, unit: _Unit) -> int:
        """Children of one parent first, then spans of one trace, then any."""
        if not self.homes.isdisjoint(unit.homes):
            return 0
        return 2 if self.traces.isdisjoint(unit.traces) else 1

    def add(self, unit: _Unit) -> None:
        """Takes the unit in."""
        self.units.append(unit)
        self.end, self.has_id = max(self.end, unit.end), self.has_id or unit.has_id
        self.scopes |= unit.scopes
        self.traces |= unit.traces
        self.homes |= unit.homes


_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""

Component = list["_Unit"]
"""Units of which some may be one call; empty for a call without any copy."""


def component(node: Node, board: Board) -> Component:
    """Everything in memory that the verdict of ``node``, a call, may depend on."""
    return [] if is_lone(node, board) else _units(node, board)


def members(units: Component) -> Iterator[Node]:
    """The records of a component."""
    return (member for unit in units for member in unit.nodes)


def calls_of(node: Node, units: Component) -> list[Call]:
    """The calls that a component comes to; a lone call is its own. A node that takes no part gives its neighbours'."""
    if not units:
        return [_new(Call, (node, (node,), ()))] if _takes_part(node) else []
    if len(units) > UNITS_MAX:
        return [call for unit in units for call in _calls(unit.nodes)]
    return [call for group in _grouped(units) for call in _calls([n for unit in group.units for n in unit.nodes])]


def _grouped(units: Component) -> list[_Group]:
    """Pairs units off in the order of their starts, each with the nearest group that is still open."""
    groups: list[_Group] = []
    running: list[_Group] = []
    for unit in sorted(units, key=lambda unit: unit.order):
        running = [group for group in running if group.end + SHADOW_SLACK_NS >= unit.order[0]]
        fitting = [group for group in running if group.takes(unit)]
        if fitting:
            min(fitting, key=lambda group: group.distance(unit)).add(unit)
        else:
            groups.append(_Group(unit))
            running.append(groups[-1])
    return groups


def is_lone(node: Node, board: Board) -> bool:
    """Whether a call has no copy in memory: the common case, told without a walk."""
    if node.exposed is not None or not counts_as_call(node.record) or not board.alone(node):
        return False
    around = node.above().inside
    return around is None or around.exposed is not node


def _takes_part(node: Node) -> bool:
    record = node.record
    if record.span_class is not SpanClass.CALL or is_far_wrapper(node):
        return False
    return record.usage is not None or not (node.call_below or node.above().inside is not None or record.error)


def _units(node: Node, board: Board) -> list[_Unit]:
    """The unit of ``node`` and every unit that could be a twin of one of them."""
    units: list[_Unit] = []
    seen: set[int] = set()
    pending = [node]
    while pending and len(units) <= UNITS_MAX:
        start = pending.pop()
        if id(start) in seen:
            continue
        nodes = _unit(start, board, seen)
        if nodes:
            units.append(_Unit(nodes))
        # One that takes no part may have done so before: whoever was its copy is asked anew, too.
        for member in nodes if start in nodes else (start, *nodes):
            pending.extend(twin for twin in board.twins(member) if not _both_have_ids(member, twin))
    return units


def _both_have_ids(one: Node, two: Node) -> bool:
    """Two ids, two calls, unless the ids are equal."""
    return one.id_key is not None and two.id_key is not None


def _unit(start: Node, board: Board, seen: set[int]) -> list[Node]:
    found: list[Node] = []
    pending = [start]
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if _takes_part(node):
            found.append(node)
            pending.extend(_wrap_neighbours(node))
        if node.record.cache_hit is None:
            pending.extend(n for n in board.same_id(node) if n.record.cache_hit is None)
    return found


def _wrap_neighbours(node: Node) -> Iterator[Node]:
    if isinstance(node.exposed, Node):
        yield node.exposed
    around = node.above().inside
    if around is not None and around.exposed is node:
        yield around


def _fits(one: Node, two: Node) -> bool:
    if shadows(one, two) or shadows(two, one):
        return True
    if (one.record.cache_hit is None) != (two.record.cache_hit is None):
        return False
    if one.record.service != two.record.service or one.twin_key != two.twin_key:
        return False
    return one.twin_key is not None and overlaps(one, two) and compatible_models(one.record, two.record)


def _calls(nodes: list[Node]) -> Iterator[Call]:
    for copies, replays in split_calls(nodes):
        ordered = sorted(copies, key=rank)
        yield Call(ordered[0], tuple(ordered), tuple(replays))

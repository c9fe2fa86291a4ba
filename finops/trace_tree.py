"""One trace as far as it has arrived: a forest whose parents may be late, early or never there.

Every relation the counting rule needs is kept as spans arrive, in amortised constant time a span: what lies below a
span (``exposed``, ``usage_below``, ``call_below``, ``aggregate_below``) travels up and only grows; what a span inherits
(``context``) travels down and is fixed by the nearest ancestor that says it. So the state depends on the set of spans,
never on their order. A parent that is not there yet is a hole: a node without a record that passes everything on.
"""

from collections.abc import Iterator, Mapping

from finops.spans import SpanClass, SpanRecord
from finops.trace_node import Node, context_of, exposure, lies_below, see


class Trace:
    """All that has arrived of one trace. ``touched`` collects the nodes whose verdict may have changed."""

    __slots__ = ("key", "nodes", "touched")

    def __init__(self, key: tuple[str, bytes]) -> None:
        self.key = key
        self.nodes: dict[bytes, Node] = {}
        self.touched: dict[int, Node] = {}

    def spans(self) -> Iterator[Node]:
        """Every node that has arrived."""
        return (node for node in self.nodes.values() if node.arrived)

    def node(self, span_id: bytes) -> Node | None:
        """The node of a span that has arrived, else None."""
        return found if (found := self.nodes.get(span_id)) is not None and found.arrived else None

    def insert(self, record: SpanRecord) -> Node:
        """Adds a span that is not here yet."""
        node = self._at(record.span_id)
        node.record, node.arrived = record, True
        self.touched[id(node)] = node
        self._link(node)
        self._hand_down(node)
        self._pass_up(node)
        return node

    def replace(self, better: Mapping[bytes, SpanRecord]) -> None:
        """Puts other contents in place of some spans' and builds the trace anew around them."""
        old = {node.record.span_id: node for node in self.spans()}
        before_all, self.nodes = self.nodes, {}
        self.touched.clear()
        for span_id, before in old.items():
            fresh = self.insert(better.get(span_id, before.record))
            for name in ("event_ns", "posted_ns", "stored", "verdict", "reason", "revision", "posted"):
                setattr(fresh, name, getattr(before, name))
        for node in before_all.values():
            node.dissolve()

    def dissolve(self) -> None:
        """Takes the trace apart. Nothing may look at its nodes afterwards."""
        for node in self.nodes.values():
            node.dissolve()

    def _at(self, span_id: bytes) -> Node:
        node = self.nodes.get(span_id)
        if node is None:
            node = self.nodes[span_id] = Node()
        return node

    def _link(self, node: Node) -> None:
        record = node.record
        if not record.parent_id or record.parent_id == record.span_id:
            return
        parent = self._at(record.parent_id)
        if _component(parent) is _component(node):
            circle = _path_up(parent, node)
            if circle:
                self._cut_circle(circle)
                return
        else:
            _component(node).component = _component(parent)
        node.parent = parent
        parent.children.append(node)
        if record.span_class is SpanClass.TOOL:
            self.touched[id(parent)] = parent

    def _cut_circle(self, circle: list[Node]) -> None:
        """Every span on the circle becomes a root, whichever of them came last."""
        for node in circle:
            if node.parent is not None:
                node.parent.children.remove(node)
                node.parent = None
        for node in circle:
            node.exposed, node.exposing = None, {}
            node.usage_below = node.call_below = node.aggregate_below = False
            for child in node.children:
                see(node, child)
            self.touched[id(node)] = node
        for node in circle:
            self._hand_down(node)

    def _hand_down(self, node: Node) -> None:
        if not node.children:
            node.context = context_of(node)
            return
        pending = [node]
        while pending:
            current = pending.pop()
            context = context_of(current)
            if context == current.context:
                continue
            current.context = context
            self.touched[id(current)] = current
            self.touched.update((id(child), child) for child in current.children)
            pending.extend(current.children)

    def _pass_up(self, node: Node) -> None:
        child = node
        while (parent := child.parent) is not None:
            before, shown, below = exposure(parent), parent.exposed, lies_below(parent)
            see(parent, child)
            changed = exposure(parent) is not before or lies_below(parent) != below
            if changed or parent.exposed is not shown:
                self.touched[id(parent)] = parent
            if not changed:
                return
            child = parent


def _component(node: Node) -> Node:
    """The representative of the tree the node is in (union-find with path halving)."""
    while (nearer := node.component) is not None:
        node.component = nearer.component or nearer
        node = nearer
    return node


def _path_up(low: Node, high: Node) -> list[Node]:
    """The nodes from ``low`` up to ``high``, both included; empty where ``high`` is not an ancestor of ``low``."""
    path = [low]
    while path[-1] is not high:
        parent = path[-1].parent
        if parent is None:
            return []
        path.append(parent)
    return path

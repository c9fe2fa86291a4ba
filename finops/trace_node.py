"""A span in its trace: what lies below it, what it inherits, and how one follows from its children and its parent."""

from typing import NamedTuple

from finops.spans import SpanClass, SpanRecord


class Several:
    """More than one."""


SEVERAL = Several()
HOLE = SpanRecord("", b"", b"", b"", SpanClass.PLAIN, 0, 0)
"""The record of a span that has not arrived: it says nothing."""


class Context(NamedTuple):
    """What a span has of its own or from its nearest ancestors. A tool is a wall for ``inside`` and ``run``."""

    org: str | None = None
    team: str | None = None
    agent: str | None = None
    session: str | None = None
    user: str | None = None
    environment: str | None = None
    provider: str | None = None
    model: str | None = None
    inside: "Node | None" = None
    """Nearest call with usage around, no tool between."""
    run: "Node | None" = None
    """Nearest agent run around, no tool between."""
    tool: "Node | None" = None
    """Nearest tool around, no agent or call between."""


NO_CONTEXT = Context()


class Node:
    """A span in its trace. ``context`` includes the span's own values; ``above`` is the parent's."""

    __slots__ = (
        "aggregate_below",
        "arrived",
        "call_below",
        "children",
        "component",
        "context",
        "event_ns",
        "exposed",
        "exposing",
        "id_key",
        "parent",
        "posted",
        "posted_ns",
        "reason",
        "record",
        "revision",
        "stored",
        "twin_key",
        "usage_below",
        "verdict",
    )

    def __init__(self) -> None:
        self.record: SpanRecord = HOLE
        self.arrived = False
        self.parent: Node | None = None
        self.children: list[Node] = []
        self.component: Node | None = None
        """Another node of the same tree, nearer to the one that stands for it; None: this one does."""
        self.context: Context = NO_CONTEXT
        self.exposed: Node | Several | None = None
        """The calls with usage nearest below, no tool between: none, the one, or SEVERAL."""
        self.exposing: dict[int, Node | Several] = {}
        self.usage_below = False
        """A call with usage lies somewhere below, tools or not."""
        self.call_below = False
        """A call, with usage or without, lies below, no tool between."""
        self.aggregate_below = False
        """An agent or aggregate with usage lies somewhere below."""
        self.id_key: bytes | None = None
        """What every copy with the provider's id shares; see ``finops.copies``."""
        self.twin_key: bytes | None = None
        """What copies without a common id share; see ``finops.copies``."""
        self.event_ns = 0
        self.stored = False
        self.verdict = ""
        self.reason = ""
        self.revision = 0
        self.posted: bytes | None = None
        """Digest of the posting that stands in the ledger, at event time ``posted_ns``."""
        self.posted_ns = 0

    def dissolve(self) -> None:
        """Lets go of every other node, and so of itself: a forgotten trace takes no room until a collection."""
        self.parent = self.component = self.exposed = None
        self.context = NO_CONTEXT
        if self.children:
            self.children.clear()
        if self.exposing:
            self.exposing.clear()

    def above(self) -> Context:
        """What the parent hands down."""
        return self.parent.context if self.parent is not None else NO_CONTEXT


def as_it_was(node: Node) -> Node:
    """A node that says what ``node`` says and has nobody around it."""
    former = Node()
    former.record, former.event_ns = node.record, node.event_ns
    former.id_key, former.twin_key = node.id_key, node.twin_key
    return former


def counts_as_call(record: SpanRecord) -> bool:
    """Whether the span stands for a call whose usage is known, billed or answered from a cache."""
    return record.span_class is SpanClass.CALL and record.usage is not None


def exposure(node: Node) -> Node | Several | None:
    """What the node shows its parent."""
    record = node.record
    if counts_as_call(record):
        return node
    return None if record.span_class is SpanClass.TOOL else node.exposed


def _shows_call(node: Node) -> bool:
    if node.record.span_class is SpanClass.CALL:
        return True
    return node.call_below and node.record.span_class is not SpanClass.TOOL


def _shows_usage(node: Node) -> bool:
    return node.usage_below or counts_as_call(node.record)


def _shows_aggregate(node: Node) -> bool:
    record = node.record
    if record.usage is not None and record.span_class in (SpanClass.AGENT, SpanClass.AGGREGATE):
        return True
    return node.aggregate_below


def context_of(node: Node) -> Context:
    """The node's own values over what its parent hands down."""
    above = node.above()
    record = node.record
    own, kind = record.own, record.span_class
    inside, run, tool = above.inside, above.run, above.tool
    if kind is SpanClass.TOOL:
        inside, run, tool = None, None, node
    elif kind is SpanClass.AGENT:
        run, tool = node, None
    elif kind is SpanClass.CALL:
        tool = None
        if record.usage is not None:
            inside = node
    return _new(
        Context,
        (
            own.org or above.org,
            own.team or above.team,
            own.agent or above.agent,
            own.session or above.session,
            own.user or above.user,
            own.environment or above.environment,
            record.provider or above.provider,
            record.response_model or record.request_model or above.model,
            inside,
            run,
            tool,
        ),
    )


_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""


def lies_below(node: Node) -> int:
    """What lies below as one number; it only grows."""
    return node.call_below + 2 * node.usage_below + 4 * node.aggregate_below


def see(parent: Node, child: Node) -> None:
    """Takes over what ``child`` shows now."""
    shown = exposure(child)
    if shown is None:
        parent.exposing.pop(id(child), None)
    else:
        parent.exposing[id(child)] = shown
    if len(parent.exposing) == 1:
        parent.exposed = next(iter(parent.exposing.values()))
    else:
        parent.exposed = SEVERAL if parent.exposing else None
    parent.call_below = parent.call_below or _shows_call(child)
    parent.usage_below = parent.usage_below or _shows_usage(child)
    parent.aggregate_below = parent.aggregate_below or _shows_aggregate(child)

"""What should stand in the ledger for one span: a call, an agent run or a tool call with all its belongings."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from finops.copies import Call, depth, merged_usage, rank
from finops.spans import Dimensions, SpanClass
from finops.trace_node import Node
from finops.usage import TokenUsage

DEFAULT_ORG = "default"
UNKNOWN_AGENT = "unknown"
EMBEDDINGS = "embeddings"


class Posting(NamedTuple):
    """Everything an entry needs but its price. Empty text means: not said."""

    tenant: str
    trace_id: bytes
    span_id: bytes
    event_ns: int
    start_ns: int
    org_id: str
    team_id: str
    agent_id: str
    session_id: str
    user_id: str
    environment: str
    service: str
    provider: str | None
    request_model: str | None
    response_model: str | None
    operation: str
    calls: int
    agent_runs: int
    tool_calls: int
    usage: TokenUsage | None
    cache_hit: str | None
    service_tier: str | None
    batch: bool
    reported_cost_pico_usd: int | None
    flags: tuple[str, ...]


_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""


def call_posting(call: Call) -> Posting:
    """The one posting of a call: the winner's, completed by its copies."""
    winner, copies = call.winner, call.copies
    usage = winner.record.usage if len(copies) == 1 else merged_usage(winner, copies)
    return _posting(winner, copies, calls=1, usage=usage)


def hit_posting(call: Call, kind: str | None = None) -> Posting:
    """An answer from a response cache: no call, no cost, what it would have cost is saved."""
    posting = _posting(call.winner, call.copies, calls=0, usage=merged_usage(call.winner, call.copies))
    return posting._replace(cache_hit=posting.cache_hit or kind)


def agent_posting(node: Node, *, run: bool, bills: bool) -> Posting:
    """An agent run; where nothing below states usage, also the call that its total stands for."""
    record = node.record
    usage = record.usage if bills else None
    posting = _posting(node, (node,), calls=1 if bills else 0, usage=usage)
    flags = tuple(sorted({*posting.flags, "aggregateEstimated"})) if bills else posting.flags
    return posting._replace(agent_runs=1 if run else 0, flags=flags)


def tool_posting(node: Node) -> Posting:
    """A tool call."""
    return _posting(node, (node,), calls=0, usage=None)._replace(tool_calls=1)


def _posting(winner: Node, copies: Sequence[Node], *, calls: int, usage: TokenUsage | None) -> Posting:
    if len(copies) == 1:
        return _stated_alone(winner, calls, usage)
    ordered = [winner, *sorted((copy for copy in copies if copy is not winner), key=rank)]
    nearest = sorted(ordered, key=lambda node: (node is not winner, -depth(node)))
    return _stated(ordered, nearest, _dimensions(ordered), calls, usage)


def _stated(
    ordered: Sequence[Node], nearest: Sequence[Node], said: Dimensions, calls: int, usage: TokenUsage | None
) -> Posting:
    """What the records say together; models and provider of those nearest to the provider first."""
    winner = ordered[0]
    record = winner.record
    request, response = _models(nearest)
    if request is None and response is None:
        request = winner.context.model
    return Posting(
        record.tenant,
        record.trace_id,
        record.span_id,
        winner.event_ns,
        record.start_ns,
        record.tenant or said.org or DEFAULT_ORG,
        said.team or "",
        said.agent or record.service or UNKNOWN_AGENT,
        said.session or record.trace_id.hex(),
        said.user or "",
        said.environment or "",
        record.service,
        record.provider or _first(node.record.provider for node in nearest) or winner.context.provider,
        request,
        response,
        record.operation,
        calls,
        0,
        0,
        usage,
        record.cache_hit,
        record.service_tier or _first(node.record.service_tier for node in ordered),
        record.batch or any(node.record.batch for node in ordered),
        _first_cost(ordered),
        _flags(winner),
    )


def _stated_alone(node: Node, calls: int, usage: TokenUsage | None) -> Posting:
    """``_stated`` for the only record of a call, which most are."""
    record, context, resource = node.record, node.context, node.record.resource
    request, response = record.request_model, record.response_model
    if request is None and response is None:
        request = context.model
    return _new(
        Posting,
        (
            record.tenant,
            record.trace_id,
            record.span_id,
            node.event_ns,
            record.start_ns,
            record.tenant or context.org or resource.org or DEFAULT_ORG,
            context.team or resource.team or "",
            context.agent or resource.agent or record.service or UNKNOWN_AGENT,
            context.session or resource.session or record.trace_id.hex(),
            context.user or resource.user or "",
            context.environment or resource.environment or "",
            record.service,
            record.provider or context.provider,
            request,
            response,
            record.operation,
            calls,
            0,
            0,
            usage,
            record.cache_hit,
            record.service_tier,
            record.batch,
            record.reported_cost_pico_usd,
            _flags(node) if node.children else record.flags,
        ),
    )


def _flags(node: Node) -> tuple[str, ...]:
    """Flags of the span; tools run inside one call mean several requests, of which it states the last one's usage."""
    record = node.record
    if record.span_class is SpanClass.CALL and any(_ran_by(child, node) for child in node.children):
        return tuple(sorted({*record.flags, "partialUsage"}))
    return record.flags


def _ran_by(child: Node, call: Node) -> bool:
    return child.record.span_class is SpanClass.TOOL and child.record.scope == call.record.scope


def _models(nodes: Iterable[Node]) -> tuple[str | None, str | None]:
    """Request and response model of the first that says either; a response model from any fills the gap."""
    records = [node.record for node in nodes]
    if len(records) == 1:
        return records[0].request_model, records[0].response_model
    response = _first(record.response_model for record in records)
    request = _first(record.request_model for record in records)
    return request, response


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value), None)


def _first_cost(nodes: Iterable[Node]) -> int | None:
    costs = (node.record.reported_cost_pico_usd for node in nodes)
    return next((cost for cost in costs if cost is not None), None)


def _dimensions(nodes: Sequence[Node]) -> Dimensions:
    """Span or nearest ancestor first, of the winner and then of its copies; then the resource likewise."""
    found: list[str | None] = []
    for at, name in enumerate(Dimensions._fields):
        said = _first(getattr(node.context, name) for node in nodes)
        found.append(said or _first(node.record.resource[at] for node in nodes))
    return Dimensions(*found)

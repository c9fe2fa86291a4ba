"""A span's wanted attributes made into a ``SpanRecord``: the stage *normalize*.

Which attribute means what is data (``dialects/*.toml``), chosen once for each shape of span (``normalize_plan``).
Nothing is inherited from parents, counted or priced here. A span whose counts cannot be believed is ``Rejected``.
"""

from typing import Final, NamedTuple

from collector import dialects_table as table
from collector import dialects_words as words
from collector.normalize_call import Refused, read_models, read_provider, read_usage
from collector.normalize_owner import (
    agent_of,
    agent_run_of,
    cache_hit_of,
    content_id,
    dimensions_of,
    give_way,
    labels_of,
    reported_cost_of,
    tool_of,
)
from collector.normalize_plan import Emitter, Plan, number_of
from collector.values import Said
from finops.spans import NO_DIMENSIONS, Dimensions, Rejected, SpanClass, SpanRecord

LOG_DELAY_NS: Final = 2_000_000_000
"""A record that was written after a stream may be written so much later."""

_TODAY: Final = {
    "embedding": "embeddings", "aembedding": "embeddings", "EMBEDDING": "embeddings", "LLM": "chat",
    "CHAT_MODEL": "chat", "generation": "chat", "completion": "chat", "acompletion": "chat", "RERANKER": "rerank",
    "AGENT": "invoke_agent", "TOOL": "execute_tool", "ai.toolCall": "execute_tool", "llm_call": "chat",
    "llm_request": "chat", "response": "chat", "responses": "chat", "aresponses": "chat", "agent_call": "invoke_agent",
    "tool_call": "execute_tool", "agent": "invoke_agent", "tool": "execute_tool",
}  # fmt: skip
_BY_CLASS: Final = {
    SpanClass.CALL: "chat", SpanClass.AGENT: "invoke_agent", SpanClass.TOOL: "execute_tool",
    SpanClass.AGGREGATE: "invoke_workflow", SpanClass.FETCH: "fetch_response",
}  # fmt: skip


_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""


class Sender(NamedTuple):
    """What a resource says of all its spans."""

    dimensions: Dimensions
    service: str
    stated: Dimensions = NO_DIMENSIONS
    """Of the dimensions, those said in our own words (finops.*)."""


NAME_CHARACTERS_MAX = 128
"""Of the label that stands for a span in what people read."""


class SpanFrame(NamedTuple):
    """What a span has besides attributes."""

    tenant: str
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    start_ns: int
    end_ns: int
    name: str
    error: bool
    sender: Sender


def normalize(frame: SpanFrame, emitter: Emitter, said: Said) -> SpanRecord | Rejected:
    """The record of one span whose wanted attributes are ``said``."""
    plan = emitter.plan(tuple(said))
    if plan.plain:
        return _plain(frame, emitter, plan, said)
    span_class = _classify(plan, said, frame.name, frame.error)
    if span_class is SpanClass.AGENT and _is_chain(plan, said, frame.name):
        span_class = SpanClass.AGGREGATE
    provider = read_provider(plan, said)
    operation = _operation(plan, said, span_class)
    labels = labels_of(plan, said) if plan.labels else None
    if span_class is SpanClass.AGGREGATE and labels is not None and labels.agent == frame.name:
        span_class, operation = SpanClass.AGENT, "invoke_agent"
    try:
        settled, response_id, tier, answered_by, stepped = read_usage(plan, said, span_class, provider, operation)
    except Refused as refused:
        return Rejected(refused.reason, refused.detail, frame.trace_id, frame.span_id)
    if stepped:
        span_class, operation = SpanClass.CALL, "chat"
    name, request_model, response_model = read_models(plan, said, span_class, provider, labels, answered_by)
    if response_id is None and labels is not None and labels.caching and span_class is SpanClass.CALL:
        response_id = content_id(plan, said, request_model)
    agent = agent_of(plan, said, span_class, frame.name, labels)
    start_ns = frame.start_ns
    if plan.seconds and frame.end_ns - start_ns < 1_000_000:
        start_ns = max(start_ns - number_of(said[plan.seconds]) - LOG_DELAY_NS, 0)
    own = give_way(plan, dimensions_of(plan, said, agent, labels), frame.sender.stated)
    tool = tool_of(plan, said, frame.name) if span_class is SpanClass.TOOL else None
    # Not the span's own name: an application may have written a prompt into it.
    label = " ".join(filter(None, (operation, tool or request_model or response_model or agent)))[:NAME_CHARACTERS_MAX]
    return _new(SpanRecord, (
        frame.tenant, frame.trace_id, frame.span_id, frame.parent_id, span_class, start_ns, frame.end_ns,
        label, emitter.scope, plan.dialect, own, frame.sender.dimensions, frame.sender.service,
        operation, name, request_model, response_model, response_id,
        settled.usage, settled.detail,
        tool,
        agent_run_of(plan, said, agent, frame.name, emitter.scope) if span_class is SpanClass.AGENT else None,
        cache_hit_of(plan, said) if plan.cache_said else None, tier, said.get(plan.processing) == "batch",
        frame.error,
        reported_cost_of(plan, said) if plan.cost_said else None, settled.flags,
    ))  # fmt: skip


def _plain(frame: SpanFrame, emitter: Emitter, plan: Plan, said: Said) -> SpanRecord:
    own = give_way(plan, dimensions_of(plan, said, None, None), frame.sender.stated) if said else NO_DIMENSIONS
    return SpanRecord(
        frame.tenant, frame.trace_id, frame.span_id, frame.parent_id, SpanClass.PLAIN, frame.start_ns, frame.end_ns,
        "", emitter.scope, "", own, frame.sender.dimensions, frame.sender.service, error=frame.error,
    )  # fmt: skip


def _classify(plan: Plan, said: Said, name: str, error: bool) -> SpanClass:
    for key, meanings, answer in plan.classes:
        if meanings is None:
            return answer
        meaning = meanings.get(str(said[key]) if key else name)
        if meaning == "announced":
            return SpanClass.CALL if error else SpanClass.OTHER
        if meaning:
            return table.CLASS_NAMES[meaning]
    return SpanClass.OTHER


def _is_chain(plan: Plan, said: Said, name: str) -> bool:
    """A plain chain that its library calls an agent."""
    return words.is_chain_name(said.get(plan.agent[0] if plan.agent else plan.entity) or name)


def _operation(plan: Plan, said: Said, span_class: SpanClass) -> str:
    for key in plan.operation:
        value = str(said[key])
        if value.endswith(".doEmbed"):
            return "embeddings"
        if value in _TODAY:
            return _TODAY[value]
        if key == "gen_ai.operation.name":
            return value
    return _BY_CLASS.get(span_class, "")

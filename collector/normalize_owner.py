"""Whose a span is and what marks it: dimensions, agent, tool, cache hits, the sender's own cost."""

from hashlib import blake2b

from collector import dialects_words as words
from collector.normalize_payload import Labels, read_cache_hit, read_cost, read_labels
from collector.normalize_plan import ANSWER_ID, GENERATED_ID, Plan, bytes_of, number_of
from collector.values import Said
from finops.spans import NO_DIMENSIONS, Dimensions, SpanClass


def labels_of(plan: Plan, said: Said) -> Labels | None:
    """Free metadata, first of several places first."""
    found: Labels | None = None
    for key in plan.labels:
        labels = read_labels(bytes_of(said[key]))
        if labels is not None and found is not None:
            labels = Labels(*(old or new for old, new in zip(found, labels, strict=True)))  # type: ignore[arg-type]
        found = labels or found
    return found


def content_id(plan: Plan, said: Said, model: str | None) -> str | None:
    """An id for an answer that may come from a cache and has none: the same question and answer, the same id."""
    if len(plan.contents) < 2:
        return None
    digest = blake2b((model or "").encode(), digest_size=16)
    for key in plan.contents:
        content = bytes_of(said[key])
        digest.update(len(content).to_bytes(4) + content)
    return f"content-{digest.hexdigest()}"


def dimensions_of(plan: Plan, said: Said, agent: str | None, labels: Labels | None) -> Dimensions:
    """What the span itself says of its owner."""
    if not plan.owner_said and labels is None:
        return Dimensions(agent=agent) if agent else NO_DIMENSIONS
    session = next((text for key in plan.session if (text := _session(said[key]))), None)
    user = said.get(plan.user)
    if labels is not None:
        session, user = session or labels.session, user or labels.user
    return Dimensions(said.get(plan.org), said.get(plan.team), agent, session, user, said.get(plan.environment))


def give_way(plan: Plan, own: Dimensions, stated: Dimensions) -> Dimensions:
    """``own`` without what the resource states in our words, where the program cannot be told it (``Plan.yields``)."""
    if not plan.yields or stated is NO_DIMENSIONS:
        return own
    pairs = zip(own, stated, plan.yields, strict=True)
    return Dimensions(*(None if yields and said is not None else value for value, said, yields in pairs))


def _session(text: str) -> str | None:
    return None if ANSWER_ID.match(text) or text.startswith("[Scrubbed due to") else text


def agent_of(plan: Plan, said: Said, span_class: SpanClass, name: str, labels: Labels | None) -> str | None:
    """The agent's name as people know it; ids made anew at every start and names of plain chains are none."""
    for key in plan.agent:
        agent = str(said[key])
        if not words.is_chain_name(agent):
            return agent
    if plan.agent_id:
        agent = str(said[plan.agent_id])
        if not GENERATED_ID.fullmatch(agent):
            return agent
    if plan.entity and (span_class is SpanClass.AGENT or said.get("traceloop.span.kind") == "workflow"):
        return said.get(plan.entity)
    if labels is not None and labels.agent:
        return labels.agent
    return _name_after(name, "invoke_agent ") if span_class is SpanClass.AGENT else None


def agent_run_of(plan: Plan, said: Said, agent: str | None, name: str, scope: str) -> str | None:
    """What tells this run from another; None for a frame around runs."""
    return agent or said.get(plan.agent_id) or said.get(plan.node) or (None if words.is_frame_scope(scope) else name)


def tool_of(plan: Plan, said: Said, name: str) -> str:
    """The name of the tool."""
    return said.get(plan.tool) or _name_after(name, "execute_tool ") or _name_after(name, "running tool: ") or name


def _name_after(name: str, prefix: str) -> str | None:
    return name[len(prefix) :] or None if name.startswith(prefix) else None


def cache_hit_of(plan: Plan, said: Said) -> str | None:
    """The kind of cache that answered, or None."""
    kind = said.get(plan.cache_kind)
    for key in plan.cache_words:
        kind = words.cache_kind(key, str(said[key])) or kind
    hit = bool(plan.cache_hit) and said[plan.cache_hit] is True
    hit = hit or any(words.cache_kind(key, str(said[key])) for key in plan.cache_words)
    if not hit and plan.hidden_params:
        hit = read_cache_hit(bytes_of(said[plan.hidden_params])) is True
    return (kind if kind in ("semantic", "exact") else "unknown") if hit else None


def reported_cost_of(plan: Plan, said: Said) -> int | None:
    """What the sender computed for itself, in pico-USD."""
    if plan.reported_cost:
        return number_of(said[plan.reported_cost])
    if plan.reported_micros:
        return number_of(said[plan.reported_micros]) * 1_000_000 or None
    for source in plan.cost_payloads:
        cost = read_cost(bytes_of(said[source.key]))
        if cost is not None:
            return cost
    return None

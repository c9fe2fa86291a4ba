"""The copies of one call: which of several records of the same request bills, and what they know together.

Copies arise because an outer instrumentation wraps an inner one, because two report side by side (often in different
traces), or because a gateway reports again what its client reported. They are joined by

* a **wrap**: a call with usage that has exactly one call with usage nearest below;
* an **id**: the provider's id of the answer, the same on every copy whatever trace it is in;
* a **twin**: no common id, but equal totals, another instrumentation scope, overlapping time and a compatible model;
* a **shadow**: a record without usage beside one with usage, of another scope and the same model, that starts and ends
  at the same moments.

Whoever bills takes over what the others know better: cache and reasoning parts, the model, who it belongs to.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

from finops.spans import SpanClass, SpanRecord
from finops.trace_node import Node
from finops.usage import TokenUsage

RESPONSE_ID_LENGTH_MIN = 16
"""Shorter ids are counters of a local server, not identities."""
ID_WINDOW_NS = 24 * 3600 * 10**9
"""Copies with one id lie at most this far apart."""
WRAPS_MAX = 8
"""Records of one call nested in each other; those further out repeat and know nothing more."""
TWIN_SLACK_NS = 2 * 10**6
"""Two records whose time spans lie at most this far apart still share time: clocks are read one after the other."""
SHADOW_SLACK_NS = 100 * 10**6
"""A record without usage starts and ends at most this far from the one that has it."""
CLOCKS_APART_NS = 5 * 60 * 10**9
"""Records of one answer by two services may lie this far apart."""

_WITH_ID = (SpanClass.CALL, SpanClass.AGENT, SpanClass.AGGREGATE)


def has_id(record: SpanRecord) -> bool:
    """Whether the record carries an id that only copies of one call share."""
    found = record.response_id
    return found is not None and len(found) >= RESPONSE_ID_LENGTH_MIN and record.span_class in _WITH_ID


def id_key(record: SpanRecord) -> bytes | None:
    """What every copy with the provider's id shares, and every aggregate that repeats it; or None."""
    found = record.response_id
    if found is None or not has_id(record):
        return None
    return blake2b(found.encode(), digest_size=12).digest()


def twin_key(record: SpanRecord) -> bytes | None:
    """What two copies without a common id share: the totals. None where there is nothing to compare."""
    usage = record.usage
    if record.span_class is not SpanClass.CALL or usage is None or usage.input_tokens + usage.output_tokens == 0:
        return None
    return usage.input_tokens.to_bytes(5) + usage.output_tokens.to_bytes(5)


def name_keys(node: Node) -> None:
    """Writes down the keys of a node whose record has arrived."""
    node.id_key = id_key(node.record)
    node.twin_key = twin_key(node.record)


class Call(NamedTuple):
    """One real request and every record of it; ``winner`` is in ``copies``."""

    winner: Node
    copies: tuple[Node, ...]
    replays: tuple[Node, ...]
    """Later records of the same answer by the same instrumentation: a cache gave it again."""


def start_ns(node: Node) -> int:
    """Start of the span, or its event time where it has none."""
    return node.record.start_ns or node.event_ns


def end_ns(node: Node) -> int:
    """End of the span, never before its start."""
    return max(node.record.end_ns, start_ns(node))


def overlaps(one: Node, other: Node) -> bool:
    """Whether the two spans share time, within ``TWIN_SLACK_NS``."""
    return start_ns(one) <= end_ns(other) + TWIN_SLACK_NS and start_ns(other) <= end_ns(one) + TWIN_SLACK_NS


def compatible_models(one: SpanRecord, other: SpanRecord) -> bool:
    """Whether the two could name one model: equal, one a more exact name of the other, or one silent."""
    mine = names_of(one)
    theirs = names_of(other)
    if not mine or not theirs:
        return True
    return any(_one_name(a, b) or _one_name(b, a) for a in mine for b in theirs)


def _one_name(exact: str, short: str) -> bool:
    """``us.anthropic.claude-x-2025`` is a more exact name of ``claude-x``; ``gpt-4o-mini`` is taken for one of
    ``gpt-4o`` here, which only joins records that agree in totals and time."""
    return f".{exact}-".find(f".{short}-") >= 0 or exact.startswith(short + "-") or exact == short


def is_silent(record: SpanRecord) -> bool:
    """A call that may have happened and states no usage."""
    return record.span_class is SpanClass.CALL and record.usage is None and not record.error


def shadows(silent: Node, loud: Node) -> bool:
    """Whether a record without usage is a copy of one with usage."""
    one, two = silent.record, loud.record
    if (
        not is_silent(one)
        or two.usage is None
        or two.cache_hit is not None
        or one.scope == two.scope
        or one.service != two.service
    ):
        return False
    if not names_of(one) or not names_of(two) or not compatible_models(one, two):
        return False
    apart = (abs(start_ns(silent) - start_ns(loud)), abs(end_ns(silent) - end_ns(loud)))
    return max(apart) <= SHADOW_SLACK_NS


def names_of(record: SpanRecord) -> list[str]:
    """The model names a record states, lower case, without a vendor's path."""
    found = (record.response_model, record.request_model)
    return [name.rsplit("/", 1)[-1].lower() for name in found if name]


def depth(node: Node) -> int:
    """How many known spans lie above: the deeper copy is nearer to the provider."""
    count = 0
    while node.parent is not None:
        node = node.parent
        count += 1
    return count


def rank(node: Node) -> tuple[object, ...]:
    """Sort key of copies: the first one bills."""
    record = node.record
    return (
        record.usage is None,
        node.exposed is not None,
        -record.usage_detail,
        record.response_model is None,
        record.start_ns,
        record.trace_id,
        record.span_id,
    )


def is_far_wrapper(node: Node) -> bool:
    """Whether a call stands around several calls, or too many wraps away from the one that bills."""
    step, wraps = node.exposed, 0
    while isinstance(step, Node) and wraps < WRAPS_MAX:
        step, wraps = step.exposed, wraps + 1
    return step is not None


def split_calls(nodes: Sequence[Node]) -> list[tuple[list[Node], list[Node]]]:
    """Records that share an id or stand around each other as calls: (copies, replays of them), by their start.

    A later record of the same instrumentation with the same totals gives the same answer again. With other totals it is
    another call, whatever its id: an id of a thread or a run can be on several.
    """
    calls: list[tuple[list[Node], list[Node]]] = []
    for node in sorted(nodes, key=lambda node: (start_ns(node), node.record.span_id)):
        for copies, replays in calls:
            relation = _relation(node, copies)
            if relation:
                (copies if relation == "copy" else replays).append(node)
                break
        else:
            calls.append(([node], []))
    return calls


def _relation(node: Node, copies: Iterable[Node]) -> str:
    """'copy' or 'replay' of the call that has ``copies``, or '' where it is another call."""
    found = ""
    for copy in copies:
        if overlaps(copy, node) or _wraps(copy, node) or _wraps(node, copy) or shadows(node, copy):
            return "copy"
        if node.record.usage is None or copy.record.usage is None:
            return "copy"
        same_totals = node.twin_key == copy.twin_key
        if copy.record.scope != node.record.scope:
            if same_totals or abs(start_ns(node) - start_ns(copy)) <= CLOCKS_APART_NS:
                return "copy"
        elif same_totals:
            found = "replay"
    return found


def _wraps(outer: Node, inner: Node) -> bool:
    step = outer.exposed
    while isinstance(step, Node):
        if step is inner:
            return True
        step = step.exposed
    return False


def merged_usage(winner: Node, copies: Iterable[Node]) -> TokenUsage | None:
    """The winner's usage, completed by what another copy proves it left out."""
    usage = winner.record.usage
    for copy in sorted(copies, key=rank):
        other = copy.record.usage
        if other is None or copy is winner:
            continue
        usage = other if usage is None else _completed(usage, other)
    return usage


def _completed(usage: TokenUsage, other: TokenUsage) -> TokenUsage:
    return _completed_output(_completed_input(usage, other), other)


def _completed_input(usage: TokenUsage, other: TokenUsage) -> TokenUsage:
    cached, written = other.cached_input_tokens, other.cache_write_tokens
    if usage.cached_input_tokens == 0 and usage.cache_write_tokens == 0 and cached + written:
        left_out = usage.input_tokens + cached + written == other.input_tokens
        if left_out or usage.input_tokens == other.input_tokens:
            return usage._replace(
                input_tokens=other.input_tokens,
                cached_input_tokens=cached,
                cache_write_tokens=written,
                cache_write_1h_tokens=other.cache_write_1h_tokens,
            )
    if usage.cache_write_tokens == written and usage.cache_write_1h_tokens == 0:
        usage = usage._replace(cache_write_1h_tokens=other.cache_write_1h_tokens)
    if usage.input_tokens == other.input_tokens and usage.input_audio_tokens == 0:
        usage = usage._replace(
            input_audio_tokens=other.input_audio_tokens, cached_audio_tokens=other.cached_audio_tokens
        )
    return usage


def _completed_output(usage: TokenUsage, other: TokenUsage) -> TokenUsage:
    if usage.reasoning_tokens == 0 and other.reasoning_tokens:
        left_out = usage.output_tokens + other.reasoning_tokens == other.output_tokens
        if left_out or usage.output_tokens == other.output_tokens:
            usage = usage._replace(output_tokens=other.output_tokens, reasoning_tokens=other.reasoning_tokens)
    if usage.output_tokens == other.output_tokens and usage.output_audio_tokens == 0:
        usage = usage._replace(output_audio_tokens=other.output_audio_tokens)
    return usage

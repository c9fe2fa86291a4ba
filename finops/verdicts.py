"""The verdict on one span: what it comes to in the ledger, and why, in words for people."""

from collections.abc import Iterator
from typing import NamedTuple

from finops.copies import Call, is_far_wrapper
from finops.postings import Posting, agent_posting, call_posting, hit_posting, tool_posting
from finops.spans import SpanClass, SpanRecord
from finops.trace_node import SEVERAL, Node


class Decision(NamedTuple):
    """What one span comes to, and the posting that should stand for it (None: nothing)."""

    node: Node
    verdict: str
    reason: str
    posting: Posting | None


_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""


def suppressed(node: Node) -> Decision | None:
    """The verdict of a call that takes no part in the competition of copies, or None."""
    record = node.record
    if record.usage is not None:
        if node.exposed is SEVERAL:
            return Decision(node, "repeatsChildren", "several calls below state their own usage", None)
        if is_far_wrapper(node):
            return Decision(node, "duplicate", "wraps records of one call", None)
        return None
    if node.call_below:
        return Decision(node, "repeatsChildren", "a call below stands for it", None)
    if node.above().inside is not None:
        return Decision(node, "duplicate", "the call around it states the usage", None)
    if record.error:
        return Decision(node, "error", "failed without usage: nothing was billed", None)
    return None


def decide_call(call: Call) -> Iterator[Decision]:
    winner = call.winner
    record = winner.record
    if record.cache_hit is not None:
        yield Decision(winner, "cacheHit", f"answered by a response cache ({record.cache_hit})", hit_posting(call))
    elif record.usage is None:
        yield Decision(winner, "noUsage", "the sender states no usage: tokens and cost unknown", call_posting(call))
    else:
        records = len(call.copies)
        reason = f"the most detailed of {records} records of the call" if records > 1 else "the only record of the call"
        yield _new(Decision, (winner, "billed", reason, call_posting(call)))
    if len(call.copies) == 1 and not call.replays:
        return
    billed = f"span {record.span_id.hex()} of trace {record.trace_id.hex()}"
    for copy in call.copies:
        if copy is not winner:
            yield Decision(copy, "duplicate", f"{_relation(copy, winner)} {billed}", None)
    for replay in call.replays:
        alone = Call(replay, (replay,), ())
        yield Decision(replay, "cacheHit", f"replays the answer of {billed}", hit_posting(alone, "unknown"))


def _relation(copy: Node, winner: Node) -> str:
    if copy.exposed is winner:
        return "wraps"
    if copy.record.response_id is not None and copy.record.response_id == winner.record.response_id:
        return "same response id as"
    return "same counts and time as"


def decide_aggregate(node: Node, has_call: bool) -> Decision:
    record = node.record
    is_agent = record.span_class is SpanClass.AGENT
    around = node.above().run
    run = is_agent and not _same_run(node, around)
    bills = record.usage is not None and not (
        node.usage_below or node.aggregate_below or has_call or "cumulativeUsage" in record.flags
    )
    posting = agent_posting(node, run=run, bills=bills) if run or bills else None
    if bills:
        return Decision(node, "billed", "no call below: its own total is all there is", posting)
    if run:
        silent = not (node.usage_below or node.call_below or record.usage)
        reason = "no call below: what it spent is not known" if silent else "the outermost marker of the run"
        return Decision(node, "agentRun", "usage repeats its children's" if record.usage else reason, posting)
    if is_agent and around is not None:
        return Decision(node, "repeatsRun", f"marks the same run as span {around.record.span_id.hex()}", None)
    if record.usage:
        return Decision(node, "repeatsChildren", "what it states is stated below or by the call it repeats", None)
    return Decision(node, "ignored", "a step without usage of its own", None)


def _same_run(node: Node, around: Node | None) -> bool:
    """Whether an agent span marks the run that the agent span around it marks already."""
    if around is None:
        return False
    mine, theirs = node.record.agent_run, around.record.agent_run
    return mine is None or theirs is None or mine == theirs


def decide_tool(node: Node) -> Decision:
    around = node.above().tool
    record = node.record
    if around is not None and _same_tool(record, around.record):
        return Decision(node, "repeatsTool", f"the same tool call as span {around.record.span_id.hex()}", None)
    return Decision(node, "toolCall", "one execution of a tool", tool_posting(node))


def _same_tool(inner: SpanRecord, outer: SpanRecord) -> bool:
    return inner.tool is None or outer.tool is None or inner.tool == outer.tool

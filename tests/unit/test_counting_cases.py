"""Cases of counting that the laws would not name: what people send, and what it must come to."""

import gc
from typing import Any

import pytest
from counting_world import NOW_NS, World

from finops.counting import CallCounter
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage

SECOND = 10**9


def span(number: int, parent: int = 0, kind: SpanClass = SpanClass.CALL, trace: int = 1, **said: Any) -> SpanRecord:
    """A call of 1000 and 10 tokens that took a second, unless ``said`` otherwise."""
    record = SpanRecord(
        tenant="",
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=parent.to_bytes(8) if parent else b"",
        span_class=kind,
        start_ns=NOW_NS - 10 * SECOND,
        end_ns=NOW_NS - 9 * SECOND,
        scope="openai",
        service="shop",
        operation="chat",
        request_model="gpt-4o",
        usage=TokenUsage(input_tokens=1000, output_tokens=10) if kind is SpanClass.CALL else None,
        usage_detail=2,
    )
    return record._replace(**said)


def counted(*records: SpanRecord) -> World:
    world = World()
    world.append(records)
    return world


def verdicts(world: World) -> dict[int, str]:
    return {int.from_bytes(s): x.verdict for spans in world.spans.values() for s, x in spans.items()}


def test_a_call_inside_a_tool_inside_an_agent_inside_a_call_still_counts() -> None:
    world = counted(
        span(1), span(2, 1, SpanClass.TOOL), span(3, 2, SpanClass.AGENT), span(4, 3, usage=TokenUsage(500, 5))
    )
    assert world.totals()["calls"] == 2
    assert world.totals()["input"] == 1500


def test_a_retry_with_its_own_usage_counts_beside_the_first() -> None:
    first = span(1, start_ns=NOW_NS - 20 * SECOND, end_ns=NOW_NS - 19 * SECOND)
    assert counted(first, span(2)).totals()["calls"] == 2


def test_parallel_calls_with_equal_counts_from_one_instrumentation_are_two() -> None:
    assert counted(span(1), span(2), span(3)).totals()["calls"] == 3


def test_two_instrumentors_side_by_side_without_ids_are_one_call() -> None:
    world = counted(span(1), span(2, scope="langchain", trace=2))
    assert world.totals()["calls"] == 1


def test_two_pairs_of_copies_without_ids_are_two_calls() -> None:
    pairs = [span(1), span(2, trace=2), span(3, scope="langchain"), span(4, scope="langchain", trace=3)]
    assert counted(*pairs).totals()["calls"] == 2


def test_copies_in_other_traces_are_joined_by_the_id_of_the_answer() -> None:
    answer = "msg_01ABCDEFGHIJKLMNOP"
    native = span(
        2,
        trace=2,
        scope="com.anthropic.sdk.python",
        response_id=answer,
        usage=TokenUsage(1000, 10, 400, 300, 100),
        usage_detail=5,
    )
    world = counted(span(1, response_id=answer), native)
    (posting,) = world.standing.values()
    assert posting.usage == TokenUsage(1000, 10, 400, 300, 100)
    assert verdicts(world) == {1: "duplicate", 2: "billed"}


def test_a_short_id_is_a_counter_and_joins_nothing() -> None:
    assert counted(span(1, response_id="7"), span(2, trace=2, response_id="7")).totals()["calls"] == 2


def test_a_cache_hit_right_after_its_original_is_no_copy_of_it() -> None:
    hit = span(2, scope="my-cache", cache_hit="semantic", start_ns=NOW_NS - 9 * SECOND, end_ns=NOW_NS - 9 * SECOND)
    world = counted(span(1), hit)
    assert verdicts(world) == {1: "billed", 2: "cacheHit"}
    assert world.totals()["calls"] == 1
    assert world.totals()["hits"] == 1


def test_the_same_answer_given_again_later_is_a_replay_and_costs_nothing() -> None:
    answer = "chatcmpl-0123456789abcdef"
    again = span(2, trace=2, response_id=answer, start_ns=NOW_NS - 5 * SECOND, end_ns=NOW_NS - 4 * SECOND)
    world = counted(span(1, response_id=answer), again)
    assert verdicts(world) == {1: "billed", 2: "cacheHit"}


def test_a_record_without_usage_beside_one_with_usage_is_its_shadow() -> None:
    silent = span(1, usage=None, usage_detail=0, scope="traceloop")
    world = counted(silent, span(2, trace=2))
    assert verdicts(world) == {1: "duplicate", 2: "billed"}


def test_a_stream_without_usage_is_a_call_of_unknown_tokens() -> None:
    world = counted(span(1, usage=None, usage_detail=0))
    assert verdicts(world) == {1: "noUsage"}
    assert world.totals()["calls"] == 1


def test_a_failed_call_without_usage_is_no_call() -> None:
    world = counted(span(1, usage=None, usage_detail=0, error=True))
    assert verdicts(world) == {1: "error"}
    assert world.totals()["calls"] == 0


def test_an_agent_total_stands_in_only_where_no_call_states_usage() -> None:
    total = span(1, kind=SpanClass.AGENT, usage=TokenUsage(3000, 30))
    assert counted(total).totals()["input"] == 3000
    assert counted(total, span(2, 1)).totals()["input"] == 1000


def test_the_sum_over_an_agents_whole_life_is_never_billed() -> None:
    total = span(1, kind=SpanClass.AGENT, usage=TokenUsage(3000, 30), flags=("cumulativeUsage",))
    assert counted(total).totals()["input"] == 0


def test_spans_in_a_circle_and_a_span_that_is_its_own_parent_are_roots() -> None:
    world = counted(span(1, 2), span(2, 1, usage=TokenUsage(7, 7)), span(3, 3, usage=TokenUsage(5, 5)))
    assert world.totals()["calls"] == 3


def test_the_more_complete_content_of_one_span_is_kept_whatever_came_first() -> None:
    poor, rich = span(1), span(1, usage=TokenUsage(1000, 10, 400), usage_detail=3)
    for order in ([poor, rich], [rich, poor]):
        world = World()
        for record in order:
            world.append([record])
        (posting,) = world.standing.values()
        assert posting.usage == TokenUsage(1000, 10, 400)
        assert world.conflicts == 1


def test_a_hundred_thousand_nested_spans_are_counted_without_recursion() -> None:
    chain = [span(n, n + 1, SpanClass.CALL if n % 10 == 0 else SpanClass.PLAIN) for n in range(1, 20_000)]
    world = counted(*chain)
    assert world.totals()["calls"] == 1


def test_an_mcp_call_inside_the_execution_of_its_tool_is_one_tool_call() -> None:
    outer = span(1, kind=SpanClass.TOOL, tool="search")
    inner = span(2, 1, SpanClass.TOOL, tool="search", scope="mcp")
    other = span(3, 1, SpanClass.TOOL, tool="fetch", scope="mcp")
    world = counted(outer, inner, other)
    assert verdicts(world) == {1: "toolCall", 2: "repeatsTool", 3: "toolCall"}


def test_a_remote_and_a_local_marker_of_one_agent_are_one_run() -> None:
    remote = span(1, kind=SpanClass.AGENT, agent_run="planner")
    local = span(3, 2, SpanClass.AGENT, agent_run="planner", scope="server")
    helper = span(4, 3, SpanClass.AGENT, agent_run="researcher")
    world = counted(remote, span(2, 1, SpanClass.PLAIN), local, helper)
    assert verdicts(world) == {1: "agentRun", 2: "link", 3: "repeatsRun", 4: "agentRun"}
    assert world.totals()["agent_runs"] == 2


def test_an_agent_that_a_tool_runs_again_is_another_run() -> None:
    world = counted(
        span(1, kind=SpanClass.AGENT, agent_run="planner"),
        span(2, 1, SpanClass.TOOL, tool="ask"),
        span(3, 2, SpanClass.AGENT, agent_run="planner"),
    )
    assert world.totals()["agent_runs"] == 2


def test_who_a_call_belongs_to_is_said_by_the_nearest_that_says_it() -> None:
    outer = span(1, kind=SpanClass.AGENT, own=Dimensions(agent="planner", session="s-1", user="u-1"))
    inner = span(2, 1, SpanClass.AGENT, own=Dimensions(agent="researcher"), agent_run="researcher")
    world = counted(span(3, 2, resource=Dimensions(agent="from-resource", environment="prod")), outer, inner)
    (call,) = [posting for posting in world.standing.values() if posting.calls]
    assert (call.agent_id, call.session_id, call.user_id, call.environment) == ("researcher", "s-1", "u-1", "prod")


def pairs(count: int, apart_ns: int, length_ns: int) -> list[SpanRecord]:
    """Calls with equal counts, each reported by two instrumentations under one parent, one of them without an id."""
    found = []
    for number in range(count):
        start = NOW_NS - 1000 * SECOND + number * apart_ns
        outer = span(2 * number + 1, 999_999, start_ns=start, end_ns=start + length_ns, scope="openinference")
        answer = f"chatcmpl-{number:020d}"
        inner = span(2 * number + 2, 999_999, start_ns=start + 10**6, end_ns=start + length_ns, response_id=answer)
        found += [outer, inner]
    return found


@pytest.mark.parametrize(
    ("apart_ns", "length_ns"), [(0, SECOND), (20 * 10**6, SECOND // 2), (600 * 10**6, SECOND // 2)]
)
def test_many_equal_calls_by_two_instrumentations_are_each_one_call(apart_ns: int, length_ns: int) -> None:
    assert counted(*pairs(300, apart_ns, length_ns)).totals()["calls"] == 300


def test_an_id_of_a_thread_on_two_calls_with_other_counts_makes_them_no_copies() -> None:
    thread = "thread_run_0123456789abcdef"
    big, later = TokenUsage(100_000, 5_000), NOW_NS - 5 * SECOND
    first = span(1, response_id=thread)
    second = span(2, trace=2, response_id=thread, usage=big, start_ns=later, end_ns=later + SECOND)
    replay = span(3, trace=3, response_id=thread, start_ns=NOW_NS - 3 * SECOND, end_ns=NOW_NS - 2 * SECOND)
    world = counted(first, second, replay)
    assert verdicts(world) == {1: "billed", 2: "billed", 3: "cacheHit"}
    assert world.totals()["input"] == 101_000


def test_many_contents_of_the_same_spans_in_one_batch_keep_the_best_of_each() -> None:
    poor = [span(n, 999) for n in range(1, 400)]
    rich = [span(n, 999, usage=TokenUsage(1000, 10, 400), usage_detail=3) for n in range(1, 400)]
    world = counted(*poor, *rich, *poor)
    assert world.totals()["calls"] == 399
    assert {posting.usage for posting in world.standing.values()} == {TokenUsage(1000, 10, 400)}
    assert all(x.posted is not None for spans in world.spans.values() for x in spans.values())


def test_a_forgotten_trace_leaves_nothing_for_the_garbage_collector() -> None:
    counter = CallCounter()
    spans = [span(n, parent=n - 3 if n > 3 else 0, trace=1 + n % 3) for n in range(1, 200)]
    for key in {(record.tenant, record.trace_id) for record in spans}:
        counter.restore(key, ())
    counter.accept([(record, NOW_NS) for record in spans])
    counter.decide()
    gc.collect()
    gc.disable()
    try:
        for key in counter.held():
            counter.forget(key)
        del spans
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert len(counter) == 0

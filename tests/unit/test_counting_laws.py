"""Laws of counting: what the ledger holds in the end depends on the set of spans alone."""

import random
from collections.abc import Sequence
from itertools import permutations
from typing import Any

from counting_world import NOW_NS, World, oracle_structure
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from finops.counting import completeness
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage

KINDS = [SpanClass.PLAIN, SpanClass.CALL, SpanClass.CALL, SpanClass.AGENT, SpanClass.AGGREGATE, SpanClass.TOOL]
SCOPES = ["openai", "langchain", "native"]


def span_id(number: int) -> bytes:
    return (number + 1).to_bytes(8)


@st.composite
def spans(draw: st.DrawFn, *, joined: bool) -> list[SpanRecord]:
    """A few traces with random parents (some missing, some in circles) and random kinds of span."""
    count = draw(st.integers(1, 14))
    found = []
    for number in range(count):
        kind = draw(st.sampled_from(KINDS))
        parent = draw(st.sampled_from([b"", *(span_id(n) for n in range(count + 2))]))
        start = NOW_NS - draw(st.integers(1, 5)) * 10**9
        usage = None
        response_id = None
        if kind in (SpanClass.CALL, SpanClass.AGENT, SpanClass.AGGREGATE) and draw(st.booleans()):
            usage = TokenUsage(
                input_tokens=1000 + (0 if joined else number), output_tokens=10 + draw(st.integers(0, 1))
            )
        if joined and kind is SpanClass.CALL and draw(st.booleans()):
            response_id = f"chatcmpl-{draw(st.integers(1, 3)):016d}"
        found.append(
            SpanRecord(
                tenant="",
                trace_id=draw(st.integers(1, 3 if joined else 1)).to_bytes(16),
                span_id=span_id(number),
                parent_id=parent,
                span_class=kind,
                start_ns=start,
                end_ns=start + draw(st.integers(0, 2)) * 10**9,
                scope=draw(st.sampled_from(SCOPES)),
                own=Dimensions(agent=draw(st.sampled_from([None, None, "a", "b"]))),
                response_id=response_id,
                cache_hit=draw(st.sampled_from([None, None, None, "semantic"])) if joined and usage else None,
                service=draw(st.sampled_from(["shop", "shop", "bank"])) if joined else "",
                request_model="m" if joined and draw(st.booleans()) else None,
                usage=usage,
                usage_detail=draw(st.integers(1, 3)) if usage else 0,
                error=draw(st.booleans()) if usage is None else False,
            )
        )
    return found


def run(records: Sequence[SpanRecord], seed: int | None) -> World:
    """Appends the spans: at once (no seed), or shuffled, cut into batches, redelivered, restarted in between."""
    world = World()
    if seed is None:
        world.append(records)
        return world
    chance = random.Random(seed)
    order = list(records) + chance.sample(list(records), len(records) // 2)
    chance.shuffle(order)
    while order:
        size = chance.randint(1, 4)
        world.append(order[:size])
        del order[:size]
        if chance.random() < 0.3:
            world.restart()
    return world


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans(joined=True), st.integers(0, 2**32))
def test_order_batches_redelivery_and_restarts_change_nothing(records: list[SpanRecord], seed: int) -> None:
    assert run(records, seed).standing == run(records, None).standing


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans(joined=True), st.integers(0, 2**32))
def test_verdicts_do_not_depend_on_the_order_either(records: list[SpanRecord], seed: int) -> None:
    def verdicts(world: World) -> dict[bytes, tuple[str, str]]:
        return {k + s: (x.verdict, x.reason) for (_, k), t in world.spans.items() for s, x in t.items()}

    assert verdicts(run(records, seed)) == verdicts(run(records, None))


@st.composite
def retold(draw: st.DrawFn) -> list[SpanRecord]:
    """Spans, some of which are sent with several contents: as begun and as ended, or by a sender gone wrong."""
    found = draw(spans(joined=True))
    for record in draw(st.lists(st.sampled_from(found), max_size=6)):
        totals = st.builds(TokenUsage, input_tokens=st.sampled_from([1000, 1001]), output_tokens=st.integers(10, 11))
        kind = draw(st.sampled_from([record.span_class, SpanClass.CALL, SpanClass.AGENT]))
        usage = draw(st.none() | totals) if kind in (SpanClass.CALL, SpanClass.AGENT) else None
        other = record._replace(
            usage=usage,
            usage_detail=draw(st.integers(0, 4)) if usage else 0,
            response_id=draw(st.sampled_from([None, record.response_id, f"chatcmpl-{2:016d}"])),
            span_class=kind,
            parent_id=draw(st.sampled_from([record.parent_id, record.parent_id, span_id(0)])),
            end_ns=record.end_ns + draw(st.integers(0, 1)) * 10**9,
            request_model=draw(st.sampled_from([record.request_model, "m"])),
        )
        found.append(other)
    return found


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(retold(), st.integers(0, 2**32))
def test_of_several_contents_of_a_span_the_fullest_counts_whatever_came_first(
    told: list[SpanRecord], seed: int
) -> None:
    fullest: dict[bytes, SpanRecord] = {}
    for record in told:
        fullest[record.span_id] = max(fullest.get(record.span_id, record), record, key=completeness)
    expected, got = run(list(fullest.values()), None), run(told, seed)
    assert got.standing == expected.standing
    verdicts = [{k: (x.verdict, x.reason) for t in w.spans.values() for k, x in t.items()} for w in (expected, got)]
    assert verdicts[0] == verdicts[1]


def call(number: int, trace: int, scope: str, **said: Any) -> SpanRecord:
    start, usage = NOW_NS - 5 * 10**9, TokenUsage(input_tokens=1000, output_tokens=10)
    record = SpanRecord("", trace.to_bytes(16), span_id(number), b"", SpanClass.CALL, start, start + 10**9, scope=scope)
    return record._replace(request_model="m", usage=usage, usage_detail=1, **said)


def test_a_call_stands_again_when_its_copy_turns_out_to_be_a_wrapper_of_several() -> None:
    outer, twin = call(1, 1, "openai"), call(2, 2, "native")
    inner = [call(n, 1, "openai", parent_id=span_id(1))._replace(usage=TokenUsage(input_tokens=n)) for n in (3, 4)]
    for order in permutations([outer, twin, *inner]):
        world = World()
        for record in order:
            world.append([record])
        assert world.totals()["calls"] == 3


def test_a_call_stands_again_when_its_copy_is_told_anew_as_another_call() -> None:
    begun, twin = (call(n, n, scope, response_id=f"chatcmpl-{1:016d}") for n, scope in ((1, "openai"), (2, "native")))
    ended = begun._replace(response_id=f"chatcmpl-{2:016d}", usage_detail=2)
    for order in permutations([begun, twin, ended]):
        world = World()
        for record in order:
            world.append([record])
            world.restart()
        assert world.totals()["calls"] == 2


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans(joined=False), st.integers(0, 2**32))
def test_totals_of_calls_equal_the_rule_as_it_reads(records: list[SpanRecord], seed: int) -> None:
    assume_no_circles({record.span_id: record.parent_id for record in records})
    metered = [
        record._replace(error=record.usage is None, usage=record.usage if record.span_class is SpanClass.CALL else None)
        for record in records
    ]
    expected, got = oracle_structure(metered), run(metered, seed).totals()
    assert (got["calls"], got["input"], got["output"]) == (expected["calls"], expected["input"], expected["output"])


def assume_no_circles(parents: dict[bytes, bytes]) -> None:
    for start in parents:
        seen, step = set(), start
        while step in parents:
            assume(step not in seen)
            seen.add(step)
            step = parents[step]

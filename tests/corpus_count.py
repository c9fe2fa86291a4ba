"""A recording brought through decode, normalize and count, beside what was billed: the corpus test and its report."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from corpus_loader import Scenario
from counting_world import World

from collector.decode import decode_traces
from collector.log_events import decode_logs
from finops.postings import Posting
from finops.spans import SpanRecord

RECEIVED_NS = 1_800_000_000 * 10**9
"""After every recording."""
COUNTS = ("calls", "input", "output", "cached", "write5m", "write1h", "reasoning", "audioIn", "audioOut")


EXCEPTIONS = {
    "langfuse-5.0.4/manual_generation_cost": "the application stated a generation that no server billed: none can tell",
    "openlit-1.45.0/lc_anthropic_stream_cache": "the span names the provider where the model belongs; counts are exact",
    "opentelemetry-instrumentation-google-generativeai-0.62.4/generate_cached_thinking_tooluse": (
        "tool-use prompt tokens are in the total only, where thoughts are too, and nothing tells them apart"
    ),
}
"""Recordings that no rule can bring to the truth, with the reason."""


class Outcome(NamedTuple):
    """One recording's result. ``expected`` and ``got`` map (model, count) to a number."""

    scenario: Scenario
    expected: Mapping[tuple[str, str], int]
    got: Mapping[tuple[str, str], int]
    exact: bool
    """Equal to the truth in all that the recording can show."""
    within: bool
    """Never more than the truth."""
    world: World


def batches(scenario: Scenario) -> list[list[SpanRecord]]:
    """The records of every export, in the order received."""
    traces = [decode_traces(body, "", RECEIVED_NS).records for body in scenario.traces]
    logs = [decode_logs(body, "", RECEIVED_NS).records for body in scenario.logs]
    return [list(records) for records in itertools.chain(traces, logs)]


def count(scenario: Scenario, exports: Iterable[list[SpanRecord]] | None = None) -> Outcome:
    """Counts a recording, in the order received or in the one given."""
    world = World()
    for records in batches(scenario) if exports is None else exports:
        world.append(records)
    derivable = scenario.truth["derivable"]
    expected = billed(scenario.truth)
    got = posted(world.standing.values(), models_named(scenario.truth))
    ignored = {"reasoning"} if "reasoning split absent" in derivable else set()
    return Outcome(scenario, expected, got, _equal(expected, got, ignored), _within(expected, got), world)


def is_full(scenario: Scenario) -> bool:
    """Whether the spans carry all that was billed."""
    derivable = scenario.truth["derivable"]
    return bool(derivable.startswith("full") or derivable == "no billed call")


def billed(truth: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """What the model server billed, by model and count."""
    sums: Counter[tuple[str, str]] = Counter()
    for call in truth["billed_calls"]:
        values = {
            "calls": 1,
            "input": call["input_tokens_total"] + call["embedding_tokens"],
            "output": call["output_tokens_total"],
            "cached": call["cache_read_tokens"],
            "write5m": call["cache_write_5m_tokens"],
            "write1h": call["cache_write_1h_tokens"],
            "reasoning": call["reasoning_tokens"],
            "audioIn": call["input_audio_tokens"],
            "audioOut": call["output_audio_tokens"],
        }
        for name, value in values.items():
            sums[call["model_returned"] or call["model_requested"], name] += value
    return sums


def models_named(truth: Mapping[str, Any]) -> dict[str, str]:
    """Every name of a billed model, with and without a vendor's or region's prefix, to the one that was billed."""
    found: dict[str, str] = {}
    for call in truth["billed_calls"]:
        for name in (call["model_requested"], call["model_returned"]):
            if name:
                billed_as = call["model_returned"] or name
                short = name.rsplit("/", 1)[-1]
                bare = re.sub(r"^([a-z]{2,6}\.)?(amazon|anthropic)\.", "", short)
                for spelling in (name, short, bare, bare.removesuffix("-v1:0")):
                    found.setdefault(spelling, billed_as)
    return found


def posted(postings: Iterable[Posting], names: Mapping[str, str]) -> Counter[tuple[str, str]]:
    """What stands in the ledger, by model (as ``names`` has it) and count."""
    sums: Counter[tuple[str, str]] = Counter()
    for posting in postings:
        if not posting.calls:
            continue
        stated = posting.response_model or posting.request_model or ""
        model = names.get(stated) or names.get(stated.rsplit("/", 1)[-1], stated)
        sums[model, "calls"] += posting.calls
        usage = posting.usage
        if usage is None:
            continue
        written = usage.cache_write_tokens
        values = {
            "input": usage.input_tokens,
            "output": usage.output_tokens,
            "cached": usage.cached_input_tokens,
            "write5m": written - usage.cache_write_1h_tokens,
            "write1h": usage.cache_write_1h_tokens,
            "reasoning": usage.reasoning_tokens,
            "audioIn": usage.input_audio_tokens,
            "audioOut": usage.output_audio_tokens,
        }
        for name, value in values.items():
            sums[model, name] += value
    return sums


def _equal(expected: Mapping[tuple[str, str], int], got: Mapping[tuple[str, str], int], ignored: set[str]) -> bool:
    keys = {key for key in (*expected, *got) if key[1] not in ignored}
    return all(expected.get(key, 0) == got.get(key, 0) for key in keys)


def _within(expected: Mapping[tuple[str, str], int], got: Mapping[tuple[str, str], int]) -> bool:
    """Cache writes whose time to live nothing tells are taken for the cheaper one: compared as a sum."""

    def folded(counts: Mapping[tuple[str, str], int]) -> Counter[str]:
        sums: Counter[str] = Counter()
        for (_, name), value in counts.items():
            sums["writes" if name == "write5m" else name] += value
            if name == "write1h":
                sums["writes"] += value
        return sums

    most, mine = folded(expected), folded(got)
    return all(value <= most.get(key, 0) for key, value in mine.items())

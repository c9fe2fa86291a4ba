"""Usage objects in any provider's own words, read into inclusive totals.

The words themselves say what the totals contain: Anthropic and Bedrock count the cache apart, OpenAI and Gemini inside,
Gemini counts thoughts apart, Langfuse names disjoint buckets.
"""

from typing import NamedTuple

import msgspec

from collector import normalize_shapes as shapes
from collector.normalize_shapes import Number
from collector.values import Bad, count_of_number


class PayloadUsage(NamedTuple):
    """Counts out of a payload; totals are inclusive already. None: not said; ``Bad``: said, but no count."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    web_searches: int | None = None


def counts_of(usage: shapes.Usage, inclusive: bool) -> PayloadUsage | None:
    if usage.prompt_tokens is not None or usage.completion_tokens is not None:
        return _openai_chat(usage)
    gemini_prompt = first(usage.prompt_token_count, usage.prompt_token_count_camel)
    if gemini_prompt is not None:
        return _gemini(usage, gemini_prompt)
    if usage.input_tokens is not None or usage.output_tokens is not None:
        if inclusive or usage.input_token_details or usage.output_token_details:
            return _langchain(usage)
        if isinstance(usage.input_tokens_details, shapes.Parts):
            return _openai_responses(usage)
        return _anthropic(usage)
    if usage.input_camel is not None or usage.output_camel is not None:
        return _bedrock(usage)
    return None


def _openai_chat(usage: shapes.Usage) -> PayloadUsage:
    prompt = parts_of(usage.prompt_tokens_details)
    completion = parts_of(usage.completion_tokens_details)
    return PayloadUsage(
        input_tokens=to_int(usage.prompt_tokens),
        output_tokens=to_int(usage.completion_tokens),
        cached_input_tokens=to_int(
            first(
                prompt.cached_tokens,
                usage.cache_read_input_tokens,
                usage.prompt_cache_hit_tokens,
                usage.cached_tokens,
                usage.cached_prompt_tokens,
            )
        ),
        cache_write_tokens=to_int(
            first(usage.cache_creation_input_tokens, prompt.cache_creation_tokens, prompt.cache_write_tokens)
        ),
        cache_write_1h_tokens=to_int(_one_hour(usage)),
        reasoning_tokens=to_int(completion.reasoning_tokens),
        input_audio_tokens=to_int(prompt.audio_tokens),
        output_audio_tokens=to_int(completion.audio_tokens),
    )


def _openai_responses(usage: shapes.Usage) -> PayloadUsage:
    details, out = parts_of(usage.input_tokens_details), parts_of(usage.output_tokens_details)
    return PayloadUsage(
        input_tokens=to_int(usage.input_tokens),
        output_tokens=to_int(usage.output_tokens),
        cached_input_tokens=to_int(details.cached_tokens),
        cache_write_tokens=to_int(details.cache_write_tokens),
        reasoning_tokens=to_int(out.reasoning_tokens),
        input_audio_tokens=to_int(details.audio_tokens),
        output_audio_tokens=to_int(out.audio_tokens),
    )


def _anthropic(usage: shapes.Usage) -> PayloadUsage:
    read, written = to_int(usage.cache_read_input_tokens), to_int(usage.cache_creation_input_tokens)
    fresh, out = to_int(usage.input_tokens), parts_of(usage.output_tokens_details)
    searches = (usage.server_tool_use or {}).get("web_search_requests")
    return PayloadUsage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=to_int(usage.output_tokens),
        cached_input_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=to_int(_one_hour(usage)),
        reasoning_tokens=to_int(first(out.thinking_tokens, out.reasoning_tokens)),
        web_searches=to_int(searches) if isinstance(searches, (int, float)) else None,
    )


def _langchain(usage: shapes.Usage) -> PayloadUsage:
    details = usage.input_token_details or shapes.Parts()
    out = usage.output_token_details or parts_of(usage.output_tokens_details)
    written = first(usage.cache_creation_input_tokens, total_write(details), usage.cache_write_tokens)
    one_hour = first(usage.cache_creation_input_tokens_above_1hr, details.ephemeral_1h_input_tokens, _one_hour(usage))
    return PayloadUsage(
        input_tokens=to_int(usage.input_tokens),
        output_tokens=to_int(usage.output_tokens),
        cached_input_tokens=to_int(first(usage.cache_read_input_tokens, details.cache_read, details.cached_tokens)),
        cache_write_tokens=to_int(written),
        cache_write_1h_tokens=to_int(one_hour),
        reasoning_tokens=to_int(first(out.reasoning, out.reasoning_tokens)),
        input_audio_tokens=to_int(first(details.audio, details.audio_tokens)),
        output_audio_tokens=to_int(first(out.audio, out.audio_tokens)),
    )


def _gemini(usage: shapes.Usage, prompt: Number) -> PayloadUsage:
    tools = to_int(first(usage.tool_use_prompt_token_count, usage.tool_use_prompt_camel))
    visible = to_int(first(usage.candidates_token_count, usage.candidates_token_count_camel))
    thoughts = to_int(first(usage.thoughts_token_count, usage.thoughts_token_count_camel))
    said = visible is not None or thoughts is not None
    return PayloadUsage(
        input_tokens=(to_int(prompt) or 0) + (tools or 0),
        output_tokens=(visible or 0) + (thoughts or 0) if said else None,
        cached_input_tokens=to_int(first(usage.cached_content_token_count, usage.cached_content_camel)),
        reasoning_tokens=thoughts,
    )


def _bedrock(usage: shapes.Usage) -> PayloadUsage:
    """Bedrock's Converse counts the cache apart; the AI SDK uses the same two words for inclusive totals."""
    read, written = to_int(usage.cache_read_camel), to_int(usage.cache_write_camel)
    fresh = to_int(usage.input_camel)
    return PayloadUsage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        output_tokens=to_int(usage.output_camel),
        cached_input_tokens=to_int(usage.cached_input_camel) if read is None else read,
        cache_write_tokens=written,
        reasoning_tokens=to_int(usage.reasoning_camel),
    )


def bucket_counts(buckets: dict[str, object]) -> PayloadUsage | None:
    """Langfuse's disjoint buckets, named by their prefix; None where the object has other words."""
    counts = {key: to_int(value) for key, value in buckets.items() if isinstance(value, (int, float))}
    if "input" not in counts and "output" not in counts:
        return None
    cached = _sum(
        counts, "input_cache_read", "input_cached_tokens", "cache_read_input_tokens", "cached_content_token_count"
    )
    one_hour = _sum(counts, "input_cache_creation_1h", "cache_creation_ephemeral_1h_input_tokens")
    five = _sum(counts, "input_cache_creation_5m", "cache_creation_ephemeral_5m_input_tokens")
    written = _sum(counts, "input_cache_creation", "cache_creation_input_tokens", "cache_write_tokens")
    reasoning = _sum(counts, "output_reasoning", "output_reasoning_tokens", "reasoning_tokens", "thoughts_token_count")
    audio_in = _sum(counts, "input_audio", "input_audio_tokens")
    audio_out = _sum(counts, "output_audio", "output_audio_tokens")
    if written is None and (five is not None or one_hour is not None):
        written = (five or 0) + (one_hour or 0)
    fresh, shown = counts.get("input"), counts.get("output")
    return PayloadUsage(
        input_tokens=None if fresh is None else fresh + (cached or 0) + (written or 0) + (audio_in or 0),
        output_tokens=None if shown is None else shown + (reasoning or 0) + (audio_out or 0),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=one_hour,
        reasoning_tokens=reasoning,
        input_audio_tokens=audio_in,
        output_audio_tokens=audio_out,
        web_searches=_sum(counts, "web_search_queries", "webSearchQueries"),
    )


def _sum(counts: dict[str, int | None], *keys: str) -> int | None:
    return next((counts[key] for key in keys if counts.get(key) is not None), None)


def parts_of(details: object) -> shapes.Parts:
    return details if isinstance(details, shapes.Parts) else shapes.Parts()


def _one_hour(usage: shapes.Usage) -> Number:
    return usage.cache_creation.ephemeral_1h_input_tokens if isinstance(usage.cache_creation, shapes.Parts) else None


def total_write(parts: shapes.Parts) -> Number:
    """LangChain splits cache creation in two where it knows the lifetimes and then leaves the sum at zero."""
    whole = parts.cache_creation if isinstance(parts.cache_creation, (int, float)) else None
    split = (parts.ephemeral_5m_input_tokens or 0) + (parts.ephemeral_1h_input_tokens or 0)
    return split or whole


def first(*numbers: Number) -> Number:
    return next((number for number in numbers if number is not None), None)


def to_int(number: Number) -> int | None:
    count = count_of_number(number)
    if isinstance(count, Bad):
        raise msgspec.ValidationError("not a count")
    return count

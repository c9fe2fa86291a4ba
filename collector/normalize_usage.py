"""Counts as a sender states them, made into one ``TokenUsage`` with inclusive totals.

Senders disagree on whether cached tokens are inside the input and thoughts inside the output, and none says which it
means. What decides, in this order: an explicit word; the numbers themselves (a part larger than its whole, a total
that adds up only one way); what is known of the emitter; else the rule of today's conventions, inclusive.
"""

from typing import Final, NamedTuple

from collector.normalize_words import PayloadUsage
from finops.usage import TOKENS_PER_CALL_MAX, TokenUsage

COUNT_FIELDS: Final = (
    "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "cache_write_5m_tokens",
    "cache_write_1h_tokens", "reasoning_tokens", "input_audio_tokens", "cached_audio_tokens", "output_audio_tokens",
    "input_image_tokens", "output_image_tokens", "tool_prompt_tokens", "web_searches", "total_tokens",
)  # fmt: skip
_IN, _OUT, _READ, _WRITE, _WRITE_5M, _WRITE_1H, _THOUGHTS, _AUDIO_IN, _AUDIO_READ, _AUDIO_OUT = range(10)
_IMAGE_IN, _IMAGE_OUT, _TOOLS, _SEARCHES, _TOTAL = range(10, 15)
_STATED: Final = 13
"""Counts before this position are usage; the rest is evidence."""

Counts = list[int | None]


class Semantics(NamedTuple):
    """What is known of the emitter: words of scopes.toml, '' where nothing is."""

    input: str = ""
    output: str = ""
    total: str = ""
    estimated: str = ""
    mark: str = ""


class Settled(NamedTuple):
    """The usage, how many counts were stated, and the quality marks."""

    usage: TokenUsage | None
    detail: int
    flags: tuple[str, ...]


class Implausible(ValueError):
    """A count beyond belief."""


_NO_USAGE: Final = Settled(None, 0, ())
UNKNOWN: Final = Semantics()
"""Nothing is known of the emitter."""
INCLUSIVE: Final = Semantics(input="inclusive", output="inclusive", total="derived")


def settle(counts: Counts, semantics: Semantics, embeddings: bool) -> Settled:
    """The usage that ``counts`` state; none where they state nothing or nothing but zeros."""
    detail = _STATED - counts[:_STATED].count(None)
    if not detail or not (counts[_IN] or counts[_OUT] or counts[_TOTAL]):
        return _NO_USAGE
    if semantics is UNKNOWN and not embeddings and counts[_IN] and counts[_OUT] and not any(counts[_READ:_STATED]):
        return Settled(_simple(counts[_IN], counts[_OUT]), detail, ())
    flags: list[str] = []
    given, made = _totals(counts, embeddings, flags)
    cached, written = counts[_READ] or 0, _written(counts)
    if cached or written:
        given = _with_cache(given, made, cached + written, counts, semantics, flags)
    if semantics.input == "excludesTools":
        given += counts[_TOOLS] or 0
    made, thoughts = _with_thoughts(given, made, counts, semantics, flags)
    if semantics.output == "startAdded" and made:
        made -= 1
        flags.append("adjusted")
    if semantics.mark:
        flags.append(semantics.mark)
    if max(given, made, cached, written, thoughts) > TOKENS_PER_CALL_MAX:
        raise Implausible(f"more than {TOKENS_PER_CALL_MAX} tokens in one call")
    usage = _bounded(given, made, cached, written, thoughts, counts, flags)
    return Settled(usage, detail, tuple(sorted(flags)))


def _simple(given: int | None, made: int | None) -> TokenUsage:
    """Most calls: two totals and no parts."""
    return TokenUsage(given or 0, made or 0)


def _totals(counts: Counts, embeddings: bool, flags: list[str]) -> tuple[int, int]:
    given, made, total = counts[_IN], counts[_OUT], counts[_TOTAL]
    if embeddings:
        return given if given is not None else total or 0, 0
    if given is None or made is None:
        if total is not None and total >= (given or made or 0) and not (given is None and made is None):
            return (total - (made or 0), made or 0) if given is None else (given, total - given)
        flags.append("partialUsage")
    return given or 0, made or 0


def _written(counts: Counts) -> int:
    written = counts[_WRITE]
    split = (counts[_WRITE_5M] or 0) + (counts[_WRITE_1H] or 0)
    return max(written or 0, split)


def _with_cache(given: int, made: int, cache: int, counts: Counts, semantics: Semantics, flags: list[str]) -> int:
    """The input with the cache counts inside it, added only where the sender leaves them out."""
    total = counts[_TOTAL]
    if semantics.input == "explicit inclusive":
        return given
    if semantics.input == "explicit exclusive" or cache > given:
        return given + cache
    if total is not None and total == given + made + cache:
        return given + cache
    if total is not None and total == given + made and semantics.total != "derived":
        return given
    if semantics.input == "exclusive":
        return given + cache
    if not semantics.input:
        flags.append("inclusiveAssumed")
    return given


def _with_thoughts(given: int, made: int, counts: Counts, semantics: Semantics, flags: list[str]) -> tuple[int, int]:
    """The output with thoughts inside it, and the thoughts."""
    thoughts, total = counts[_THOUGHTS] or 0, counts[_TOTAL]
    if thoughts and semantics.output == "twice" and thoughts * 2 <= made:
        return made - thoughts, thoughts
    if thoughts:
        outside = thoughts > made or (total is not None and total == given + made + thoughts)
        return (made + thoughts if outside or semantics.output == "exclusive" else made), thoughts
    if semantics.total == "thoughts" and total is not None and total > given + made:
        flags.append("adjusted")
        return total - given, total - given - made
    return made, 0


def _bounded(
    given: int, made: int, cached: int, written: int, thoughts: int, counts: Counts, flags: list[str]
) -> TokenUsage:
    """A ``TokenUsage`` in which no part exceeds its whole; what had to be cut is flagged."""
    cached_in, written_in = min(cached, given), min(written, max(given - min(cached, given), 0))
    hour, thought = counts[_WRITE_1H] or 0, min(thoughts, made)
    audio_in, image_in = counts[_AUDIO_IN] or 0, counts[_IMAGE_IN] or 0
    audio_out, image_out = counts[_AUDIO_OUT] or 0, counts[_IMAGE_OUT] or 0
    audio_read = counts[_AUDIO_READ] or 0
    usage = TokenUsage(
        given, made, cached_in, written_in, min(hour, written_in), thought,
        min(audio_in, given), min(audio_read, audio_in, cached_in), min(audio_out, made),
        min(image_in, given), min(image_out, made), counts[_SEARCHES] or 0,
    )  # fmt: skip
    stated = (given, made, cached, written, hour, thoughts, audio_in, audio_read, audio_out, image_in, image_out)
    if usage[:11] != stated:
        flags.append("clamped")
    return usage


def apply_payload(counts: Counts, payload: PayloadUsage) -> bool:
    """Let the provider's own words replace what the sender made of them; whether they gave a total.

    A payload without totals only fills what nobody stated.
    """
    totals = payload.input_tokens is not None or payload.output_tokens is not None
    if totals:
        counts[_TOTAL] = counts[_WRITE_5M] = counts[_TOOLS] = None
    for position, count in (
        (_IN, payload.input_tokens), (_OUT, payload.output_tokens), (_READ, payload.cached_input_tokens),
        (_WRITE, payload.cache_write_tokens), (_WRITE_1H, payload.cache_write_1h_tokens),
        (_THOUGHTS, payload.reasoning_tokens), (_AUDIO_IN, payload.input_audio_tokens),
        (_AUDIO_OUT, payload.output_audio_tokens), (_SEARCHES, payload.web_searches),
    ):  # fmt: skip
        if count is not None and (totals or counts[position] is None):
            counts[position] = count
    return totals


def fill_from_payload(counts: Counts, payload: PayloadUsage) -> None:
    """Take from a second payload only what neither the first nor the sender stated."""
    apply_payload(counts, payload._replace(input_tokens=None, output_tokens=None))

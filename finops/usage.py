"""How many tokens one model call used: totals that contain their special cases.

A ``TokenUsage`` is valid by construction where it is made by ``token_usage``: no part is larger than the total that
contains it. Whoever reads a foreign vocabulary (``collector``) repairs or refuses there; nobody inside asks again.
"""

from typing import NamedTuple

TOKENS_PER_CALL_MAX = 100_000_000
"""More tokens than this in one call are not believed (``implausible``)."""


class TokenUsage(NamedTuple):
    """Tokens of one call. Totals are inclusive; every other count is a part of the total named first in its comment."""

    input_tokens: int = 0
    """All prompt tokens: fresh, cached, cache-write, audio, image and tool-use prompt tokens."""
    output_tokens: int = 0
    """All generated tokens: visible, reasoning, audio and image."""
    cached_input_tokens: int = 0
    """Part of input: read from the provider's prompt cache."""
    cache_write_tokens: int = 0
    """Part of input: written to the provider's prompt cache, every time to live."""
    cache_write_1h_tokens: int = 0
    """Part of cache_write: written with a time to live of one hour."""
    reasoning_tokens: int = 0
    """Part of output: thoughts that are billed and not shown."""
    input_audio_tokens: int = 0
    """Part of input."""
    cached_audio_tokens: int = 0
    """Part of both input_audio and cached_input."""
    output_audio_tokens: int = 0
    """Part of output."""
    input_image_tokens: int = 0
    """Part of input."""
    output_image_tokens: int = 0
    """Part of output."""
    web_searches: int = 0
    """Not tokens: searches the provider bills apart."""


class ImpossibleUsage(ValueError):
    """A part is larger than the total that contains it, a count is negative, or a count is not believable."""


def token_usage(**counts: int) -> TokenUsage:
    """A checked ``TokenUsage``; raises ``ImpossibleUsage`` naming the field at fault."""
    usage = TokenUsage(**counts)
    for name, count in zip(usage._fields, usage, strict=True):
        if count < 0:
            raise ImpossibleUsage(f"{name} is negative: {count}")
        if count > TOKENS_PER_CALL_MAX:
            raise ImpossibleUsage(f"{name} is implausible: {count} > {TOKENS_PER_CALL_MAX}")
    if usage.cached_input_tokens + usage.cache_write_tokens > usage.input_tokens:
        raise ImpossibleUsage("cached_input_tokens + cache_write_tokens exceed input_tokens")
    if usage.cache_write_1h_tokens > usage.cache_write_tokens:
        raise ImpossibleUsage("cache_write_1h_tokens exceed cache_write_tokens")
    if usage.reasoning_tokens > usage.output_tokens:
        raise ImpossibleUsage("reasoning_tokens exceed output_tokens")
    return usage

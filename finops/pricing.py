"""What one call cost, line by line: pure integer arithmetic over the rates a price book holds.

Every kind of token is priced apart and rounded once, half to even, to a whole pico-USD; the cost is the sum of the
lines as stored. The long-context tier is chosen by the inclusive count of input tokens and holds for the whole call.
"""

from bisect import bisect_left, bisect_right
from typing import NamedTuple

from finops.money import FEMTO_PER_PICO, amount_pico
from finops.offers import (
    IMPLAUSIBLE_COST,
    NO_MODEL,
    NO_USAGE,
    NOT_BY_TOKENS,
    PROVIDER_AMBIGUOUS,
    UNKNOWN_MODEL,
    Asked,
    Offer,
    Unpriced,
)
from finops.price_book import PriceBook
from finops.rates import Rates
from finops.usage import TokenUsage

__all__ = [
    "IMPLAUSIBLE_COST", "NOT_BY_TOKENS", "NO_MODEL", "NO_USAGE", "PROVIDER_AMBIGUOUS", "UNKNOWN_MODEL",
    "CallFacts", "PriceLine", "Priced", "Unpriced", "price",
]  # fmt: skip

COST_PICO_MAX = 2**63 - 1
"""What one ledger row can hold, about 9.2 million USD."""

_NS_PER_DAY = 86_400 * 10**9


class CallFacts(NamedTuple):
    """What is known of a call that its price depends on."""

    org: str
    provider: str | None
    request_model: str | None
    response_model: str | None
    operation: str
    usage: TokenUsage
    at_ns: int
    """Start of the call, Unix nanoseconds UTC."""
    service_tier: str | None = None
    batch: bool = False


class PriceLine(NamedTuple):
    """One kind of token: ``amount_pico`` is tokens times rate, rounded once."""

    kind: str
    """input, cached, cacheWrite5m, cacheWrite1h, inputAudio, cachedAudio, inputImage, output, reasoning, outputAudio,
    outputImage, request, search."""
    tokens: int
    rate_femto: int
    amount_pico: int


class Priced(NamedTuple):
    """What a call cost and how that was found."""

    cost_pico: int
    lines: tuple[PriceLine, ...]
    prompt_savings_pico: int
    """What the provider's prompt cache saved: the cost had every input token been fresh, minus the cost."""
    provider: str
    model_id: str
    rate_version: int
    """Version of the rate within its ``source``."""
    source: str
    match_rule: str
    tier: str
    """standard, batch, priority, …; with ``>N`` where the prompt had more than N tokens and that has its own rates."""
    flags: tuple[str, ...]


def price(call: CallFacts, book: PriceBook) -> Priced | Unpriced:
    """The price of ``call`` by ``book``, or why it has none. Never guesses a rate and never calls an unknown one 0."""
    org, provider, request_model, response_model, _, usage, at_ns, service_tier, batch = call
    asked = (org if org in book.orgs else "", provider, request_model, response_model, service_tier, batch)
    timeline = book.remembered.get(asked) or book.timeline(Asked(*asked))
    starts = timeline.starts_ns
    offer = timeline.offers[bisect_right(starts, at_ns) - 1 if len(starts) > 1 else 0]
    return offer if isinstance(offer, Unpriced) else price_by(offer, usage, at_ns)


def price_by(offer: Offer, usage: TokenUsage, at_ns: int) -> Priced | Unpriced:
    """The price of a call that started at ``at_ns``, Unix nanoseconds, by rates already chosen."""
    provider, model_id, source, version, rule, tier, flags, (slots, by_slot) = offer
    tiered = by_slot[bisect_right(slots, at_ns % _NS_PER_DAY) - 1 if len(slots) > 1 else 0]
    rates = tiered.rates[0]
    if tiered.thresholds:
        crossed = bisect_left(tiered.thresholds, usage.input_tokens)
        if crossed:
            rates, tier = tiered.rates[crossed], f"{tier}>{tiered.thresholds[crossed - 1]}"
    if usage[6:] == _NOTHING_SPECIAL and not rates.request:
        lines, cost, paid_for_input = _text_lines(usage, rates)
        savings = 0
        if usage.cached_input_tokens or usage.cache_write_tokens:
            savings = amount_pico(usage.input_tokens, rates.input) - paid_for_input
    else:
        parts = _parts(usage, rates)
        lines = [_new(PriceLine, (kind, count, rates[at], amount_pico(count, rates[at]))) for kind, count, at in parts]
        cost = sum(line[3] for line in lines)
        paid_for_input = sum(line[3] for line, part in zip(lines, parts, strict=True) if part[2] < _OUTPUT)
        savings = _fresh_pico(parts, rates) - paid_for_input
        flags = _special_flags(flags, usage, rates, parts)
    if cost > COST_PICO_MAX:
        return Unpriced(IMPLAUSIBLE_COST, provider, model_id, flags)
    return _new(Priced, (cost, tuple(lines), savings, provider, model_id, version, source, rule, tier, flags))


def _text_lines(usage: TokenUsage, rates: Rates) -> tuple[list[PriceLine], int, int]:
    """The lines of a call of text only, what they come to, and what of it is for input: most calls, so unrolled."""
    fresh, shown, cached, write, write_1h, reasoning, _, _, _, _, _, _ = usage
    fresh -= cached + write
    shown -= reasoning
    lines: list[PriceLine] = []
    cost = 0
    if fresh:
        amount, rest = divmod(fresh * (rate := rates[0]), FEMTO_PER_PICO)
        cost = amount = amount + _up(amount, rest) if rest else amount
        lines.append(_new(PriceLine, ("input", fresh, rate, amount)))
    if cached:
        amount, rest = divmod(cached * (rate := rates[1]), FEMTO_PER_PICO)
        amount = amount + _up(amount, rest) if rest else amount
        cost += amount
        lines.append(_new(PriceLine, ("cached", cached, rate, amount)))
    if write:
        cost += _write_lines(lines, write, write_1h, rates)
    paid_for_input = cost
    if shown:
        amount, rest = divmod(shown * (rate := rates[_OUTPUT]), FEMTO_PER_PICO)
        amount = amount + _up(amount, rest) if rest else amount
        cost += amount
        lines.append(_new(PriceLine, ("output", shown, rate, amount)))
    if reasoning:
        amount, rest = divmod(reasoning * (rate := rates[_REASONING]), FEMTO_PER_PICO)
        amount = amount + _up(amount, rest) if rest else amount
        cost += amount
        lines.append(_new(PriceLine, ("reasoning", reasoning, rate, amount)))
    return lines, cost, paid_for_input


def _write_lines(lines: list[PriceLine], write: int, write_1h: int, rates: Rates) -> int:
    """Adds the lines of cache writes and returns what they come to."""
    cost = 0
    for kind, tokens, rate in (("cacheWrite5m", write - write_1h, rates[2]), ("cacheWrite1h", write_1h, rates[3])):
        if tokens:
            amount = amount_pico(tokens, rate)
            cost += amount
            lines.append(_new(PriceLine, (kind, tokens, rate, amount)))
    return cost


def _up(amount: int, rest: int) -> int:
    """1 where half to even rounds up."""
    return rest > _HALF or (rest == _HALF and amount & 1)


_HALF = FEMTO_PER_PICO // 2

_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time, several times a call."""

_Part = tuple[str, int, int]
"""(kind of line, tokens, index of its rate in ``Rates``)."""

_KINDS = (
    "input", "cached", "cacheWrite5m", "cacheWrite1h", "inputAudio", "cachedAudio", "inputImage",
    "output", "reasoning", "outputAudio", "outputImage", "request", "search",
)  # fmt: skip
"""In the order of ``Rates``."""
_OUTPUT = Rates._fields.index("output")
_REASONING = Rates._fields.index("reasoning")
_REQUEST = Rates._fields.index("request")

_NOTHING_SPECIAL = (0, 0, 0, 0, 0, 0)
"""Audio, images and searches of most calls: the fields of ``TokenUsage`` after ``reasoning_tokens``."""


def _parts(usage: TokenUsage, rates: Rates) -> list[_Part]:
    """The tokens of any call in disjoint kinds, the empty kinds left out, and the fee for the request itself."""
    parts = _special_parts(usage)
    if rates.request:
        parts.append(("request", 1, _REQUEST))
    return parts


def _special_parts(usage: TokenUsage) -> list[_Part]:
    """Audio and images that do not fit the totals that contain them are cut, never the totals."""
    cached, write, write_1h = usage.cached_input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    fresh = usage.input_tokens - cached - write
    shown = usage.output_tokens - usage.reasoning_tokens
    heard = min(usage.cached_audio_tokens, cached, usage.input_audio_tokens)
    fresh_audio = min(usage.input_audio_tokens - heard, fresh)
    image = min(usage.input_image_tokens, fresh - fresh_audio)
    spoken = min(usage.output_audio_tokens, shown)
    drawn = min(usage.output_image_tokens, shown - spoken)
    text = fresh - fresh_audio - image
    counts = (
        text, cached - heard, write - write_1h, write_1h, fresh_audio, heard, image,
        shown - spoken - drawn, usage.reasoning_tokens, spoken, drawn, 0, usage.web_searches,
    )  # fmt: skip
    return [(kind, count, index) for index, (kind, count) in enumerate(zip(_KINDS, counts, strict=True)) if count]


def _fresh_pico(parts: list[_Part], rates: Rates) -> int:
    """What the input had cost had nothing been cached, by the same rounding."""
    counts = {kind: tokens for kind, tokens, _ in parts}
    text = sum(counts.get(kind, 0) for kind in ("input", "cached", "cacheWrite5m", "cacheWrite1h"))
    audio = counts.get("inputAudio", 0) + counts.get("cachedAudio", 0)
    image = amount_pico(counts.get("inputImage", 0), rates.input_image)
    return amount_pico(text, rates.input) + amount_pico(audio, rates.input_audio) + image


def _special_flags(flags: tuple[str, ...], usage: TokenUsage, rates: Rates, parts: list[_Part]) -> tuple[str, ...]:
    marks = set(flags)
    counts = {kind: tokens for kind, tokens, _ in parts}
    heard = counts.get("inputAudio", 0) + counts.get("cachedAudio", 0)
    billed = (heard, counts.get("inputImage", 0), counts.get("outputAudio", 0), counts.get("outputImage", 0))
    told = (usage.input_audio_tokens, usage.input_image_tokens, usage.output_audio_tokens, usage.output_image_tokens)
    if billed != told:
        marks.add("clamped")
    if usage.web_searches and not rates.search:
        marks.add("searchesUnpriced")
    return tuple(sorted(marks))

"""Every model of the catalogue costs what genai-prices itself says it costs, but for the differences listed here.

The deliberate differences:

* One rounding a line: each kind of token is rounded to a whole pico-USD, so up to half a pico-USD a line.
* Rates finer than a femto-USD a token (artefacts of somebody's floats) are rounded to one: half a femto a token.
* A rule that stops inside a word or a number does not match (``claude-opus-4-1`` is not ``claude-opus-4-10``), and a
  model's own id always finds that model; genai-prices does not find some of its own ids (``NOT_SELF_FOUND``).
* What a token count cannot price (audio by the hour, characters, pages) is unpriced; genai-prices says 0.
* Circumstances no span tells (Perplexity's ``search_type``, OpenRouter's ``route``) take the standard price.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from genai_prices import Usage
from genai_prices.data import providers as source_providers
from genai_prices.types import ModelInfo, Provider, TieredPrices

from finops.model_catalogue import CatalogueMatch
from finops.offers import NOT_BY_TOKENS
from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, Unpriced, price
from finops.rate_versions import unix_ns
from finops.usage import TokenUsage, token_usage
from ledger.catalogue import CANONICAL_NAMES, bundled_catalogue

SEED = 20261122
MODELS = [(provider, model) for provider in source_providers for model in provider.models]

USAGES = [
    token_usage(input_tokens=1_000, output_tokens=100),
    token_usage(input_tokens=123_457, cached_input_tokens=99_991, output_tokens=7_919, reasoning_tokens=5_003),
    token_usage(input_tokens=250_001, cached_input_tokens=100_003, cache_write_tokens=50_021, output_tokens=11),
    token_usage(input_tokens=900_007, cache_write_tokens=70_001, cache_write_1h_tokens=30_011, output_tokens=65_537),
    token_usage(input_tokens=5_003, input_audio_tokens=2_003, output_tokens=3_001, output_audio_tokens=1_009),
    token_usage(input_tokens=5_003, input_image_tokens=2_003, output_tokens=3_001, output_image_tokens=1_009),
    token_usage(
        input_tokens=9_001,
        cached_input_tokens=4_001,
        input_audio_tokens=3_001,
        cached_audio_tokens=1_009,
        web_searches=3,
    ),
    *(
        token_usage(input_tokens=start + above, output_tokens=17)
        for start in (32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 524_288)
        for above in (0, 1)
    ),
]

CONTEXTS: list[tuple[str | None, bool, dict[str, str]]] = [
    (None, False, {}),
    (None, True, {"processing": "batch"}),
    ("priority", False, {"service_tier": "priority"}),
    ("flex", False, {"service_tier": "flex"}),
    ("default", False, {"service_tier": "default"}),
    ("fast", False, {"service_tier": "fast", "speed": "fast"}),
]

ENDINGS = ["-2026-01-01", "-20260101", "-latest", "-preview", "x", "0", "-v1:0", "@20260101", "-mini", "/x"]
"""What senders and vendors put after a model's id, and two things nobody does."""

NOT_SELF_FOUND = {"aws", "fireworks", "mistral", "openai"}
"""Providers some of whose own ids no rule of theirs matches: they are names of entries, not of an API."""


def moments(model: ModelInfo) -> list[datetime]:
    """Before and after every change of price, and around the clock where prices follow it."""
    conditional = model.prices if isinstance(model.prices, list) else []
    found = [item.constraint for item in (*conditional, *(model.price_variants or ()))]
    dates = {c.start_date for c in found if c is not None and hasattr(c, "start_date")}
    days = [datetime.combine(day, datetime.min.time(), UTC) for day in sorted(dates)]
    instants = [datetime(2026, 11, 21, 12, 0, tzinfo=UTC)]
    instants += [day + shift for day in days for shift in (timedelta(microseconds=-1), timedelta(0))]
    clocks = [c for c in found if c is not None and hasattr(c, "start_time")]
    for clock in clocks:
        for at in (clock.start_time, clock.end_time):
            edge = datetime.combine(datetime(2026, 11, 21, tzinfo=UTC), at)
            instants += [edge - timedelta(microseconds=1), edge]
    return instants


def usage_for(usage: TokenUsage) -> Usage:
    """A call's usage in the words of genai-prices, parts that it wants explicit made explicit."""
    counts = {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cached_input_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "cache_write_1h_tokens": usage.cache_write_1h_tokens,
        "output_reasoning_tokens": usage.reasoning_tokens,
        "input_audio_tokens": usage.input_audio_tokens,
        "cache_audio_read_tokens": usage.cached_audio_tokens,
        "output_audio_tokens": usage.output_audio_tokens,
        "input_image_tokens": usage.input_image_tokens,
        "output_image_tokens": usage.output_image_tokens,
        "web_searches": usage.web_searches,
        "cache_image_read_tokens": 0,
    }
    return Usage(**counts)


def tolerance(priced: Priced, usage: TokenUsage) -> Fraction:
    """Half a pico-USD a line, and half a femto-USD a token where the source's rate is finer than that."""
    return Fraction(len(priced.lines), 2) + Fraction(usage.input_tokens + usage.output_tokens, 2000)


def exact_rates(model_price: object) -> bool:
    """Whether every rate is a whole number of femto-USD a token."""
    amounts: list[Decimal] = []
    for value in vars(model_price).values():
        if isinstance(value, TieredPrices):
            amounts += [value.base, *(tier.price for tier in value.tiers)]
        elif value is not None:
            amounts.append(value)
    return all(Fraction(amount) * 10**9 == int(Fraction(amount) * 10**9) for amount in amounts)


@pytest.fixture(scope="module")
def book() -> PriceBook:
    return PriceBook(bundled_catalogue())


def canonical(provider: Provider) -> str:
    return CANONICAL_NAMES.get(provider.id, (provider.id,))[0]


def cases() -> Iterator[tuple[Provider, ModelInfo, datetime, tuple[str | None, bool, dict[str, str]], TokenUsage]]:
    """Every model at every moment its price changes; every usage and context for some, drawn anew by the seed."""
    chance = random.Random(SEED)
    for provider, model in MODELS:
        instants = moments(model)
        for instant in instants:
            contexts = CONTEXTS if model.price_variants else CONTEXTS[:1]
            for context in contexts:
                for usage in chance.sample(USAGES, 3 if len(instants) > 1 or len(contexts) > 1 else 8):
                    yield provider, model, instant, context, usage


def test_every_model_costs_what_the_source_says_at_every_moment(book: PriceBook) -> None:
    wrong: list[tuple[object, ...]] = []
    checked = 0
    for provider, model, instant, (tier, batch, context), usage in cases():
        own = model.get_prices(instant, context)
        facts = CallFacts("", canonical(provider), model.id, None, "chat", usage, unix_ns(instant), tier, batch)
        priced = price(facts, book)
        if isinstance(priced, Unpriced):
            if priced.reason != NOT_BY_TOKENS:
                wrong.append((provider.id, model.id, priced))
            continue
        expected = own.calc_price(usage_for(usage))["total_price"]
        allowed = Fraction(len(priced.lines), 2) if exact_rates(own) else tolerance(priced, usage)
        checked += 1
        if abs(Fraction(priced.cost_pico) - Fraction(expected) * 10**12) > allowed:
            wrong.append((provider.id, model.id, instant, tier, batch, usage, priced, expected))
    assert not wrong, f"{len(wrong)} of {checked} (seed {SEED}); first: {wrong[:3]}"
    assert checked > 15_000


def test_every_name_a_model_answers_to_finds_the_model_the_source_finds(book: PriceBook) -> None:
    by_id = {provider.id: provider for provider in source_providers}
    wrong: list[tuple[object, ...]] = []
    for provider in source_providers:
        prices = book.catalogue.providers[canonical(provider)]
        for name in sorted({*prices.by_id, *prices.by_alias}):
            theirs = by_id[provider.id].find_model(name, all_providers=source_providers)
            ours = prices.own(name)
            assert ours is not None
            if theirs is None:
                if provider.id not in NOT_SELF_FOUND:
                    wrong.append((provider.id, name, ours[0].model_id, None))
            elif theirs.id != ours[0].model_id:
                wrong.append((provider.id, name, ours[0].model_id, theirs.id))
    assert not wrong, wrong


def test_a_name_the_source_knows_is_never_taken_for_another_model(book: PriceBook) -> None:
    chance = random.Random(SEED)
    differ, refused = [], []
    for provider, model in MODELS:
        for ending in chance.sample(ENDINGS, 4):
            key = f"{model.id}{ending}".lower()
            theirs = provider.find_model(key, all_providers=source_providers)
            ours = book.catalogue.find(canonical(provider), key)
            if theirs is not None and isinstance(ours, str):
                refused.append((key, theirs.id))
            elif theirs is not None and isinstance(ours, CatalogueMatch) and ours.prices.model_id != theirs.id:
                differ.append((key, theirs.id, ours.prices.model_id))
    assert not differ, f"seed {SEED}: {differ}"
    assert all(key.endswith(("0", "x")) for key, _ in refused), "only what goes on inside a number or a word"


def test_what_tokens_cannot_price_is_unpriced_and_is_listed_here(book: PriceBook) -> None:
    found = {
        (provider.id, model.id)
        for provider, model in MODELS
        for priced in [price(CallFacts("", canonical(provider), model.id, None, "chat", USAGES[0], 0), book)]
        if isinstance(priced, Unpriced)
    }
    assert {model for provider, model in found if provider == "openai"} == {
        "gpt-live-1", "gpt-live-transcribe", "gpt-realtime-translate", "gpt-realtime-whisper", "gpt-transcribe",
        "tts-1", "tts-1-hd", "whisper-1",
    }  # fmt: skip
    assert {provider for provider, _ in found} == {"openai", "groq", "mistral", "x-ai"}

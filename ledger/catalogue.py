"""Compiles the price data in the genai-prices package into integer rates (a ``Catalogue``), once, at start.

The package is a source of data here: it never sees a name a sender chose, and nothing of it runs when a call is priced.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from functools import cache
from importlib.metadata import version as package_version

from genai_prices import types as source
from genai_prices.data import providers as source_providers

from finops.model_catalogue import (
    STANDARD,
    Catalogue,
    DaySlots,
    ModelPrices,
    PatternRule,
    Period,
    ProviderPrices,
    Variant,
    whole_segment_end,
)
from finops.money import femto_per_token
from finops.rate_versions import BEGINNING_NS, unix_ns
from finops.rates import StatedRates, TieredRates, filled

CANONICAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "azure": ("azure.ai.openai", "azure.ai.inference"),
    "aws": ("aws.bedrock",),
    "google": ("gcp.gemini", "gcp.vertex_ai"),
    "mistral": ("mistral_ai",),
    "x-ai": ("x_ai",),
    "moonshotai": ("moonshot_ai",),
    "github-copilot": ("github_copilot",),
}
"""The data source's provider id, to the ledger's names for it; all others have the same name in both."""

_EXACT = Context(prec=60)

_PRICE_KEYS: Mapping[str, tuple[str, int]] = {
    "input": ("input_mtok", 6),
    "cached": ("cache_read_mtok", 6),
    "cache_write_5m": ("cache_write_mtok", 6),
    "cache_write_1h": ("cache_write_1h_mtok", 6),
    "input_audio": ("input_audio_mtok", 6),
    "cached_audio": ("cache_audio_read_mtok", 6),
    "input_image": ("input_image_mtok", 6),
    "output": ("output_mtok", 6),
    "reasoning": ("output_reasoning_mtok", 6),
    "output_audio": ("output_audio_mtok", 6),
    "output_image": ("output_image_mtok", 6),
    "request": ("requests_kcount", 3),
    "search": ("web_searches_kcount", 3),
}
"""Our kind of rate, to the source's price key and the power of ten it is stated per."""


@cache
def bundled_catalogue() -> Catalogue:
    """The catalogue of the installed genai-prices; takes a few hundred milliseconds the first time."""
    stated = package_version("genai-prices")
    return compiled(source_providers, title=f"genai-prices {stated}", version=version_number(stated))


def version_number(stated: str) -> int:
    """``0.2.3`` as 2003: one number that grows with the version."""
    major, minor, patch = (int(part) for part in re.findall(r"\d+", stated + ".0.0")[:3])
    return (major * 1000 + minor) * 1000 + patch


def compiled(providers: Iterable[source.Provider], *, title: str, version: int) -> Catalogue:
    """Every provider of ``providers`` with integer rates."""
    listed = list(providers)
    alone = {provider.id: _provider(provider, ()) for provider in listed}
    by_name: dict[str, ProviderPrices] = {}
    for provider in listed:
        fallbacks = tuple(alone[name] for name in provider.fallback_model_providers or () if name in alone)
        prices = alone[provider.id]._replace(fallbacks=fallbacks)
        for name in CANONICAL_NAMES.get(provider.id, (provider.id,)):
            by_name[name] = prices
    return Catalogue(by_name, version, title)


def _provider(provider: source.Provider, fallbacks: tuple[ProviderPrices, ...]) -> ProviderPrices:
    by_id: dict[str, int] = {}
    by_alias: dict[str, int] = {}
    patterns: list[PatternRule] = []
    for index, model in enumerate(provider.models):
        by_id.setdefault(model.id.lower(), index)
        for clause in _alternatives(model.match):
            if isinstance(clause, source.ClauseEquals):
                by_alias.setdefault(clause.equals.lower(), index)
            else:
                patterns.append(PatternRule(index, predicate(clause)))
    models = tuple(_model(model) for model in provider.models)
    claims = predicate(provider.model_match) if provider.model_match else None
    return ProviderPrices(provider.id, models, by_id, by_alias, tuple(patterns), claims, fallbacks)


def _alternatives(clause: source.MatchLogic) -> list[source.MatchLogic]:
    if isinstance(clause, source.ClauseOr):
        return [inner for part in clause.or_ for inner in _alternatives(part)]
    return [clause]


def predicate(clause: source.MatchLogic) -> Callable[[str], bool]:
    """A match rule of the source as a function of a lower-case name, held to whole segments."""
    if isinstance(clause, source.ClauseOr):
        any_of = [predicate(part) for part in clause.or_]
        return lambda key: any(matches(key) for matches in any_of)
    if isinstance(clause, source.ClauseAnd):
        all_of = [predicate(part) for part in clause.and_]
        return lambda key: all(matches(key) for matches in all_of)
    if isinstance(clause, source.ClauseRegex):
        search = re.compile(clause.regex).search
        return lambda key: search(key) is not None
    if isinstance(clause, source.ClauseEquals):
        name = clause.equals.lower()
        return lambda key: key == name
    return _piece(clause)


def _piece(clause: source.ClauseStartsWith | source.ClauseEndsWith | source.ClauseContains) -> Callable[[str], bool]:
    if isinstance(clause, source.ClauseStartsWith):
        head = clause.starts_with.lower()
        return lambda key: key.startswith(head) and whole_segment_end(key, len(head))
    if isinstance(clause, source.ClauseEndsWith):
        tail = clause.ends_with.lower()
        return lambda key: key.endswith(tail) and whole_segment_end(key, len(key) - len(tail))
    inner = clause.contains.lower()
    return lambda key: (at := key.find(inner)) >= 0 and whole_segment_end(key, at + len(inner))


def _model(model: source.ModelInfo) -> ModelPrices:
    everything = _all_prices(model)
    keys = {key for prices in everything for key, value in vars(prices).items() if value is not None}
    by_tokens = not keys or any(source_key in keys for source_key, _ in _PRICE_KEYS.values())
    return ModelPrices(model.id, _periods(model), by_tokens, listed_free=not keys)


def _all_prices(model: source.ModelInfo) -> list[source.ModelPrice]:
    standard = [model.prices] if isinstance(model.prices, source.ModelPrice) else [c.prices for c in model.prices]
    return [*standard, *(variant.prices for variant in model.price_variants or ())]


def _constraints(model: source.ModelInfo) -> list[source.StartDateConstraint | source.TimeOfDateConstraint]:
    conditional = [] if isinstance(model.prices, source.ModelPrice) else model.prices
    found = [item.constraint for item in (*conditional, *(model.price_variants or ()))]
    return [constraint for constraint in found if constraint is not None]


def _periods(model: source.ModelInfo) -> tuple[Period, ...]:
    constraints = _constraints(model)
    dates = {c.start_date for c in constraints if isinstance(c, source.StartDateConstraint)}
    midnights = sorted(datetime.combine(day, time(), UTC) for day in dates)
    clock = [c for c in constraints if isinstance(c, source.TimeOfDateConstraint)]
    offsets = sorted({timedelta(0), *(_after_midnight(t) for c in clock for t in (c.start_time, c.end_time))})
    before = midnights[0] - timedelta(days=1) if midnights else datetime(2020, 1, 1, tzinfo=UTC)
    starts = [BEGINNING_NS, *(unix_ns(midnight) for midnight in midnights)]
    return tuple(
        Period(start, {variant: _day(model, day, offsets, variant) for variant in _variants(model)})
        for start, day in zip(starts, [before, *midnights], strict=True)
    )


def _after_midnight(at: time) -> timedelta:
    utc = at if at.tzinfo is None else datetime.combine(date(2020, 1, 2), at).astimezone(UTC).timetz()
    return timedelta(hours=utc.hour, minutes=utc.minute, seconds=utc.second, microseconds=utc.microsecond)


def _variants(model: source.ModelInfo) -> list[Variant]:
    tiers: list[str] = []
    batch = [False]
    for variant in model.price_variants or ():
        if variant.when.keys() <= {"service_tier", "speed"}:
            tiers.extend(variant.when.values())
        if variant.when == {"processing": "batch"}:
            batch = [False, True]
    return list(dict.fromkeys([STANDARD, *(Variant(tier, is_batch) for is_batch in batch for tier in ["", *tiers])]))


def price_context(variant: Variant) -> dict[str, str]:
    """A variant in the source's words."""
    context = {"processing": "batch"} if variant.batch else {}
    if variant.service_tier:
        context["service_tier"] = variant.service_tier
    if variant.service_tier == "fast":
        context["speed"] = "fast"
    return context


def _day(model: source.ModelInfo, day: datetime, offsets: list[timedelta], variant: Variant) -> DaySlots:
    context = price_context(variant)
    slots = tuple(offset // timedelta(microseconds=1) * 1000 for offset in offsets)
    return DaySlots(slots, tuple(_tiered(model.get_prices(day + offset, context)) for offset in offsets))


def _tiered(prices: source.ModelPrice) -> TieredRates:
    stated = {kind: (getattr(prices, key), power) for kind, (key, power) in _PRICE_KEYS.items()}
    tiered = [price for price, _ in stated.values() if isinstance(price, source.TieredPrices)]
    thresholds = tuple(sorted({tier.start for price in tiered for tier in price.tiers}))
    levels = tuple(
        StatedRates(**{kind: _femto(price, power, threshold) for kind, (price, power) in stated.items()})
        for threshold in (-1, *thresholds)
    )
    return TieredRates(thresholds, tuple(filled(level) for level in levels), levels)


def _femto(price: Decimal | source.TieredPrices | None, power: int, threshold: int) -> int | None:
    if isinstance(price, source.TieredPrices):
        reached = [tier.price for tier in price.tiers if tier.start <= threshold]
        price = reached[-1] if reached else price.base
    return None if price is None else femto_per_token(price.scaleb(-power, _EXACT))

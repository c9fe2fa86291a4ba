"""A price catalogue in memory: providers, their models, the names each model answers to, and its rates over time.

Filled from a data source elsewhere (``ledger``); looked up here. Within a provider the model's own id wins, then the
catalogue's rules in the catalogue's order. A rule that matches only a piece of a word or of a number does not match.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from finops.model_names import (
    FREE_VARIANT,
    NEVER_GUESSED,
    dashed_date,
    fine_tune_base,
    provider_by_shape,
    undated,
    unstaged,
    variant,
    vendor_prefix,
    without_region,
)
from finops.rates import StatedRates, TieredRates, flat

MATCH_MEMO_LIMIT = 16_384
"""Names a catalogue remembers the outcome for; past it, it forgets all of them and starts again."""

GUESSED_FOR = frozenset({"", "openai", "vercel_ai_gateway"})
"""Where a model its provider does not list is looked for elsewhere: nothing said, or a client pointed elsewhere."""

STANDARD_TIERS = frozenset({"", "default", "standard", "auto", "on_demand"})
"""Service tiers that mean the list price."""


class DaySlots(NamedTuple):
    """Rates by time of day: ``rates[i]`` holds from ``starts_ns[i]`` nanoseconds after UTC midnight."""

    starts_ns: tuple[int, ...]
    rates: tuple[TieredRates, ...]


class Variant(NamedTuple):
    """A way of calling a model that has a price of its own."""

    service_tier: str
    """'' for the standard tier."""
    batch: bool


STANDARD = Variant("", False)


class Period(NamedTuple):
    """Prices of a model from one instant on."""

    starts_ns: int
    variants: Mapping[Variant, DaySlots]
    """Always holds ``STANDARD``."""


class ModelPrices(NamedTuple):
    """One model of one provider."""

    model_id: str
    periods: tuple[Period, ...]
    """Ascending; the first begins before every call."""
    by_tokens: bool = True
    """False: priced by seconds, characters or pages only; a token count cannot price it."""
    listed_free: bool = False
    """The catalogue lists the model without any charge."""


class PatternRule(NamedTuple):
    """A rule of the model at ``position`` that is more than a plain name."""

    position: int
    matches: Callable[[str], bool]


class ProviderPrices(NamedTuple):
    """The models of one provider."""

    name: str
    models: tuple[ModelPrices, ...]
    by_id: Mapping[str, int]
    """Lower-case model id to index in ``models``."""
    by_alias: Mapping[str, int]
    """Lower-case plain name to the first model that answers to it."""
    patterns: tuple[PatternRule, ...]
    """Ascending by position."""
    claims: Callable[[str], bool] | None = None
    """Whether a model id looks like this provider's own."""
    fallbacks: tuple["ProviderPrices", ...] = ()
    """Providers whose models this one resells at their standard price."""

    def own(self, key: str) -> tuple[ModelPrices, str] | None:
        """The model ``key`` names and by which rule: exact, alias or pattern."""
        index = self.by_id.get(key)
        if index is not None:
            return self.models[index], "exact"
        alias = self.by_alias.get(key)
        for rule in self.patterns:
            if alias is not None and rule.position > alias:
                break
            if rule.matches(key):
                return self.models[rule.position], "pattern"
        return None if alias is None else (self.models[alias], "alias")


class CatalogueMatch(NamedTuple):
    """A model found in the catalogue."""

    provider: str
    """Canonical."""
    prices: ModelPrices
    rule: str
    """exact, alias or pattern, after the rewriting that led there if any: ``undated:exact``."""
    resold: bool = False
    """Priced as the model's maker prices it, because the provider has no entry of its own: standard tier only."""
    guessed: bool = False
    """The provider was concluded from the model's name."""
    fine_tuned: bool = False


class Catalogue:
    """Every provider's prices. Immutable but for a bounded memo of names already looked up."""

    def __init__(self, providers: Mapping[str, ProviderPrices], version: int = 0, title: str = "") -> None:
        self.providers = dict(providers)
        """By canonical name; two names may share one entry."""
        self.version = version
        self.title = title
        """Where the data come from, with its version."""
        self._memo: dict[tuple[str, str], CatalogueMatch | str] = {}
        distinct: dict[int, str] = {}
        for name, prices in self.providers.items():
            distinct.setdefault(id(prices), name)
        self._guessable = tuple(distinct.values())

    def find(self, provider: str, key: str) -> CatalogueMatch | str:
        """The model ``key`` names at ``provider`` ('' where unknown), or why there is none."""
        memo_key = (provider, key)
        found = self._memo.get(memo_key)
        if found is None:
            if len(self._memo) >= MATCH_MEMO_LIMIT:
                self._memo.clear()
            found = self._memo[memo_key] = self._find(provider, key)
        return found

    @property
    def memo_entries(self) -> int:
        """How many names are remembered."""
        return len(self._memo)

    def _find(self, provider: str, key: str) -> CatalogueMatch | str:
        match = self._progressive(provider, key)
        if match is not None:
            return match
        if provider in NEVER_GUESSED or (provider in self.providers and provider not in GUESSED_FOR):
            return "unknownModel"
        return self._guess(key)

    def _progressive(self, provider: str, key: str) -> CatalogueMatch | None:
        prices = self.providers.get(provider)
        if prices is None:
            return None
        for rewriting, candidate in self._candidates(prices, key):
            for offered_by in (prices, *prices.fallbacks):
                own = offered_by.own(candidate)
                if own:
                    rule = f"{rewriting}:{own[1]}" if rewriting else own[1]
                    tuned = key.startswith("ft:")
                    return CatalogueMatch(provider, own[0], rule, offered_by is not prices, fine_tuned=tuned)
        return _free_variant(provider, key)

    def _candidates(self, prices: ProviderPrices, key: str) -> Iterator[tuple[str, str]]:
        yield "", key
        yield "compactDate", dashed_date(key)
        prefixed = vendor_prefix(key)
        bare = prefixed[1] if prefixed and self.providers.get(prefixed[0]) is prices else key
        yield "prefix", bare
        yield "region", without_region(bare)
        named = variant(bare)
        if named and named[1] != FREE_VARIANT:
            yield "variant", named[0]
        yield "undated", undated(bare)
        yield "unstaged", unstaged(undated(bare))

    def base_of_fine_tune(self, provider: str, key: str) -> CatalogueMatch | None:
        """The model a fine-tune was made from, where ``key`` names a fine-tune."""
        base = fine_tune_base(key)
        match = self.find(provider, base) if base else None
        if not isinstance(match, CatalogueMatch):
            return None
        return match._replace(rule=f"fineTune:{match.rule}", fine_tuned=True)

    def _guess(self, key: str) -> CatalogueMatch | str:
        shaped = provider_by_shape(key)
        match = self._progressive(shaped, key) if shaped else None
        prefixed = vendor_prefix(key)
        if match is None and prefixed:
            match = self._progressive(*prefixed)
            match = match and match._replace(rule=f"prefix:{match.rule}")
        if match is not None:
            return match._replace(guessed=True)
        return self._claimed(key)

    def _claimed(self, key: str) -> CatalogueMatch | str:
        claims = [name for name in self._guessable if _claims(self.providers[name], key)]
        matches = [match for match in (self._progressive(name, key) for name in claims) if match]
        if not matches:
            listed = [name for name in self._guessable if key in self.providers[name].by_id]
            matches = [match for match in (self._progressive(name, key) for name in listed) if match]
        if len(matches) > 1:
            return "providerAmbiguous"
        return matches[0]._replace(guessed=True) if matches else "unknownModel"

    def provider_claiming(self, key: str) -> str:
        """The one provider whose models are named like this, or ''."""
        claims = [name for name in self._guessable if _claims(self.providers[name], key)]
        return claims[0] if len(claims) == 1 else ""


def _claims(prices: ProviderPrices, key: str) -> bool:
    return prices.claims is not None and prices.claims(key)


_NO_CHARGE = DaySlots((0,), (flat(StatedRates(input=0, output=0)),))
_FREE = ModelPrices(FREE_VARIANT, (Period(-(2**63), {STANDARD: _NO_CHARGE}),), listed_free=True)


def _free_variant(provider: str, key: str) -> CatalogueMatch | None:
    named = variant(key)
    return CatalogueMatch(provider, _FREE, "freeVariant") if named and named[1] == FREE_VARIANT else None


def whole_segment_end(text: str, end: int) -> bool:
    """Whether a match that ends at ``end`` stops between two parts of a name, not inside a word or a number.

    A number may go on where it becomes a date: the rule ``claude-sonnet-4-2025`` is meant to match ``…-20250514``.
    """
    if end == 0 or end >= len(text):
        return True
    before, after = text[end - 1], text[end]
    if before.isdigit() and after.isdigit():
        return _inside_date(text, end)
    return not (before.isalpha() and after.isalpha())


def _inside_date(text: str, end: int) -> bool:
    start = end
    while start > 0 and text[start - 1].isdigit():
        start -= 1
    while end < len(text) and text[end].isdigit():
        end += 1
    return end - start == 8 and text[start : start + 2] == "20"

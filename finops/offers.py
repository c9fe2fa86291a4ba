"""Offers: rates as they apply to one kind of call, from every source, and the timeline they make together."""

from bisect import bisect_right
from collections.abc import Mapping
from typing import NamedTuple

from finops.model_catalogue import STANDARD, STANDARD_TIERS, Catalogue, CatalogueMatch, DaySlots, Variant
from finops.model_names import ModelName
from finops.rate_versions import BEGINNING_NS, Versions
from finops.rates import OperatorRate, flat

NO_MODEL = "noModel"
UNKNOWN_MODEL = "unknownModel"
NO_USAGE = "noUsage"
PROVIDER_AMBIGUOUS = "providerAmbiguous"
NOT_BY_TOKENS = "notPricedByTokens"
IMPLAUSIBLE_COST = "implausibleCost"


class Unpriced(NamedTuple):
    """Why a call has no price. Its tokens still count."""

    reason: str
    """noModel, unknownModel, providerAmbiguous, notPricedByTokens, implausibleCost (noUsage is the caller's to say)."""
    provider: str
    model_id: str
    flags: tuple[str, ...] = ()


class Offer(NamedTuple):
    """The rates that hold for calls of one kind during one stretch of time."""

    provider: str
    model_id: str
    source: str
    rate_version: int
    match_rule: str
    tier: str
    flags: tuple[str, ...]
    day: DaySlots


class Timeline(NamedTuple):
    """Offers by time: ``offers[i]`` holds for calls that start at ``starts_ns[i]`` or later."""

    starts_ns: tuple[int, ...]
    offers: tuple[Offer | Unpriced, ...]

    def at(self, instant_ns: int) -> Offer | Unpriced:
        """What holds for calls that start at ``instant_ns``."""
        return self.offers[bisect_right(self.starts_ns, instant_ns) - 1]


class Asked(NamedTuple):
    """What decides the price of a call, its time and its tokens apart."""

    org: str
    provider: str | None
    request_model: str | None
    response_model: str | None
    service_tier: str | None
    batch: bool


class CallNames(NamedTuple):
    """A call's provider and models after cleaning."""

    provider: str
    request: ModelName
    response: ModelName
    shown: str
    flags: tuple[str, ...]

    def keys(self) -> list[str]:
        """The names to look up: the answer's first."""
        return list(dict.fromkeys(name.key for name in (self.response, self.request) if name.key))


class Layer(NamedTuple):
    """One source's say over time; None where it says nothing."""

    starts_ns: tuple[int, ...]
    offers: tuple[Offer | None, ...]

    def at(self, instant_ns: int) -> Offer | None:
        """What this source says of calls that start at ``instant_ns``."""
        index = bisect_right(self.starts_ns, instant_ns) - 1
        return self.offers[index] if index >= 0 else None


def operator_layer(versions: Versions, names: CallNames, rule: str) -> Layer:
    """An operator's versions of a rate: the same whatever the tier, the batch or the size of the prompt."""

    def offer(rate: OperatorRate | None) -> Offer | None:
        if rate is None:
            return None
        day = DaySlots((0,), (flat(rate.stated),))
        matched = f"{rate.source}:{rule}"
        return Offer(names.provider, names.shown, rate.source, rate.version, matched, "standard", names.flags, day)

    return Layer(versions.starts_ns, tuple(offer(rate) for rate in versions.rates))


def catalogue_layer(found: CatalogueMatch, catalogue: Catalogue, names: CallNames, asked: Asked) -> Layer:
    """A catalogue's model, at the variant nearest to what was asked; empty where tokens cannot price it."""
    tier = (asked.service_tier or "").lower()
    batch = asked.batch or tier == "batch"
    wanted = Variant("" if tier in STANDARD_TIERS or tier == "batch" else tier, batch)
    periods = found.prices.periods
    marks = [
        *names.flags,
        *(["providerGuessed"] if found.guessed else []),
        *(["fineTuned"] if found.fine_tuned else []),
        *(["listedFree"] if found.prices.listed_free else []),
    ]

    def offer(variants: Mapping[Variant, DaySlots]) -> Offer:
        chosen = STANDARD if found.resold else _nearest(wanted, variants)
        flags = tuple(sorted([*marks, *(["tierUnpriced"] if chosen != wanted else [])]))
        label = "+".join([part for part in (chosen.service_tier, "batch" if chosen.batch else "") if part])
        return Offer(
            names.provider,
            names.shown,
            "catalogue",
            catalogue.version,
            found.rule,
            label or "standard",
            flags,
            variants[chosen],
        )

    if not found.prices.by_tokens:
        return Layer((), ())
    return Layer(tuple(p.starts_ns for p in periods), tuple(offer(p.variants) for p in periods))


def _nearest(wanted: Variant, variants: Mapping[Variant, DaySlots]) -> Variant:
    for candidate in (wanted, Variant(wanted.service_tier, False), Variant("", wanted.batch)):
        if candidate in variants:
            return candidate
    return STANDARD


def merged(layers: list[Layer], otherwise: Unpriced) -> Timeline:
    """For every stretch of time the first layer that says something."""
    starts = sorted({BEGINNING_NS, *(start for layer in layers for start in layer.starts_ns)})
    offers: list[Offer | Unpriced] = []
    for start in starts:
        said = (layer.at(start) for layer in layers)
        offers.append(next((offer for offer in said if offer is not None), otherwise))
    return Timeline(tuple(starts), tuple(offers))

"""Which rates hold now, as a list: the operator's, the catalogue's, or those of the models in use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from finops.model_catalogue import STANDARD, ModelPrices
from finops.model_names import canonical_provider
from finops.offers import Asked, Unpriced
from finops.price_book import PriceBook
from finops.rate_versions import BEGINNING_NS, unix_ns
from finops.rates import FEMTO_FIELDS, OperatorRate, StatedRates, per_k_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFilters:
    """What is asked for; an empty sequence asks for everything."""

    models: Sequence[str] = ()
    providers: Sequence[str] = ()
    """By any name a sender may use."""
    sources: Sequence[str] = ()
    """'operator', 'catalogue'."""
    orgs: Sequence[str] = ()
    """Organisations whose own rates are asked for, besides those for all."""
    in_use: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRate:
    """One model's rates as they hold now, at the standard tier and the shortest prompt."""

    provider: str
    """'' for an operator's rate that holds on every provider."""
    model_id: str
    org_id: str
    """'' for every organisation."""
    stated: StatedRates
    source: str
    version: int
    effective_from: datetime | None
    """None: since before the first call."""
    author: str = ""
    reason: str = ""


def rate_fields(stated: StatedRates) -> dict[str, Decimal | None]:
    """Dollars per thousand tokens (per thousand requests and searches) by the contract's names; None: not stated."""
    amounts = zip(StatedRates._fields, stated, strict=True)
    return {FEMTO_FIELDS[kind]: None if femto is None else per_k_tokens(femto) for kind, femto in amounts}


def listed_rates(
    book: PriceBook, filters: RateFilters, now: datetime, used: Sequence[tuple[str, str, str]] | None = None
) -> list[ListedRate]:
    """The rates that hold at ``now``; with ``used`` (organisation, provider, model) those that price these models.

    A model asked for by a name no list has is answered with the rates its calls are priced at.
    """
    instant = unix_ns(now)
    if used is not None:
        return _narrowed(_of_used(book, used, instant), filters)
    rows = _narrowed(_all(book, instant), filters)
    listed = {row.model_id.lower() for row in rows}
    unlisted = [model for model in filters.models if model.lower() not in listed]
    asked = [("", canonical_provider(name), model) for model in unlisted for name in filters.providers or ("",)]
    return rows + _narrowed(_of_used(book, asked, instant), filters)


def _narrowed(rows: Iterator[ListedRate], filters: RateFilters) -> list[ListedRate]:
    providers = {canonical_provider(name) for name in filters.providers}
    models = {model.lower() for model in filters.models}
    kept = [
        row
        for row in rows
        if (not providers or row.provider in providers or not row.provider)
        and (not models or row.model_id.lower() in models)
        and (not filters.sources or row.source in filters.sources)
        and (not row.org_id or not filters.orgs or row.org_id in filters.orgs)
    ]
    return sorted(kept, key=lambda row: (row.source != "operator", row.provider, row.model_id.lower(), row.org_id))


def _all(book: PriceBook, instant_ns: int) -> Iterator[ListedRate]:
    for rate in book.operator_rates_at(instant_ns):
        yield _of_operator(rate, rate.provider, rate.model_id)
    for provider, prices in book.catalogue.providers.items():
        for model in prices.models:
            if model.by_tokens:
                yield _of_catalogue(book, provider, model, instant_ns)


def _of_operator(rate: OperatorRate, provider: str, model_id: str) -> ListedRate:
    return ListedRate(
        provider=provider,
        model_id=model_id,
        org_id=rate.org_id,
        stated=rate.stated,
        source=rate.source,
        version=rate.version,
        effective_from=rate.effective_from,
        author=rate.author,
        reason=rate.reason,
    )


def _of_catalogue(book: PriceBook, provider: str, model: ModelPrices, instant_ns: int) -> ListedRate:
    period = [period for period in model.periods if period.starts_ns <= instant_ns][-1]
    return ListedRate(
        provider=provider,
        model_id=model.model_id,
        org_id="",
        stated=period.variants[STANDARD].rates[0].stated[0],
        source="catalogue",
        version=book.catalogue.version,
        effective_from=_instant(period.starts_ns),
    )


def _instant(starts_ns: int) -> datetime | None:
    return None if starts_ns == BEGINNING_NS else datetime.fromtimestamp(starts_ns // 10**9, UTC)


def _of_used(book: PriceBook, used: Sequence[tuple[str, str, str]], instant_ns: int) -> Iterator[ListedRate]:
    """One row a model, and one more for each organisation that has a rate of its own for it."""
    operator = {rate.version: rate for rate in book.operator_rates_at(instant_ns)}
    seen: set[tuple[str, str, int, str]] = set()
    for org, provider, model_id in used:
        asked = Asked(org if org in book.orgs else "", provider or None, model_id, None, None, False)
        timeline = book.timeline(asked)
        offer = timeline.at(instant_ns)
        if isinstance(offer, Unpriced) or (offer.provider, model_id, offer.rate_version, offer.source) in seen:
            continue
        seen.add((offer.provider, model_id, offer.rate_version, offer.source))
        if offer.source == "catalogue":
            since = max(start for start in timeline.starts_ns if start <= instant_ns)
            yield ListedRate(
                provider=offer.provider,
                model_id=model_id,
                org_id="",
                stated=offer.day.rates[0].stated[0],
                source=offer.source,
                version=offer.rate_version,
                effective_from=_instant(since),
            )
        elif offer.rate_version in operator:
            yield _of_operator(operator[offer.rate_version], offer.provider, model_id)

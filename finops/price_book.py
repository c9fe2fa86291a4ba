"""The price book: which rates hold for a call, at one moment of the operator's rates (its ``epoch``).

Immutable: a change of rates makes a new book. Precedence, first match wins: the operator's rates (the call's own
organisation before all organisations; response model, request model, then both rewritten; the call's provider before
any provider), the catalogue (response model, then request model), then both again for the model a fine-tune was made
from, then rates imported as a second source. What nobody states is unpriced, never free.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from finops.model_catalogue import Catalogue, CatalogueMatch
from finops.model_names import (
    ModelName,
    canonical_provider,
    fine_tune_base,
    model_name,
    shown_model,
    undated,
    vendor_prefix,
    without_region,
)
from finops.offers import (
    NO_MODEL,
    NOT_BY_TOKENS,
    PROVIDER_AMBIGUOUS,
    UNKNOWN_MODEL,
    Asked,
    CallNames,
    Layer,
    Timeline,
    Unpriced,
    catalogue_layer,
    merged,
    operator_layer,
)
from finops.rate_versions import BEGINNING_NS, Versions, unix_ns, with_version
from finops.rates import OPERATOR, OperatorRate, RatePut, implausible_rates

MEMO_LIMIT = 8192
"""Answers a book remembers; past it, it forgets all of them and starts again."""

RateKey = tuple[bool, str, str, str]
"""(stated by the operator, organisation, provider, lower-case model id); '' for every organisation or provider."""


def rate_key(rate: OperatorRate) -> RateKey:
    """What ``rate`` is a version of."""
    return rate.source == OPERATOR, rate.org_id, rate.provider, model_name(rate.model_id).key


class PriceBook:
    """Rates at one epoch. Share it freely: nothing about it changes but a bounded memo of its own answers."""

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        epoch: int = 0,
        operator_rates: Iterable[OperatorRate] = (),
        deployments: Mapping[tuple[str, str], str] | None = None,
        memo_limit: int = MEMO_LIMIT,
    ) -> None:
        self.catalogue = catalogue
        self.epoch = epoch
        self._deployments = dict(deployments or {})
        self._memo_limit = memo_limit
        self.remembered: dict[tuple[str, str | None, str | None, str | None, str | None, bool], Timeline] = {}
        """Answers given so far, by the fields of ``Asked``; read it, never write it."""
        self._versions: dict[RateKey, Versions] = {}
        self._add(operator_rates)

    def _add(self, rates: Iterable[OperatorRate]) -> None:
        for rate in rates:
            key = rate_key(rate)
            self._versions[key] = with_version(self._versions.get(key, Versions()), rate)
        self.orgs = frozenset(org for _, org, _, _ in self._versions)
        """Organisations with rates of their own, and '' where some rate holds for all."""

    def with_rates(
        self,
        newer: Iterable[OperatorRate],
        epoch: int,
        deployments: Mapping[tuple[str, str], str] | None = None,
    ) -> "PriceBook":
        """The book after ``newer``, which are in the order of their versions and newer than all it holds."""
        known = self._deployments if deployments is None else deployments
        book = PriceBook(self.catalogue, epoch=epoch, deployments=known, memo_limit=self._memo_limit)
        book._versions = dict(self._versions)
        book._add(newer)
        return book

    @property
    def memo_entries(self) -> int:
        """How many answers are remembered."""
        return len(self.remembered)

    def states(self, org_id: str, provider: str, model_id: str) -> bool:
        """Whether an operator states a rate under exactly this key, now or from some later time on."""
        versions = self._versions.get((True, org_id, provider, model_name(model_id).key))
        return versions is not None and versions.rates[-1] is not None

    def operator_rates_at(self, instant_ns: int) -> Iterator[OperatorRate]:
        """The operator's rates that hold for calls that start at ``instant_ns``."""
        for versions in self._versions.values():
            rate = versions.at(instant_ns)
            if rate is not None:
                yield rate

    def timeline(self, asked: Asked) -> Timeline:
        """What calls of this kind cost, over all time."""
        known = self.remembered.get(asked)
        if known is None:
            if len(self.remembered) >= self._memo_limit:
                self.remembered.clear()
            known = self.remembered[asked] = self._timeline(asked)
        return known

    def _timeline(self, asked: Asked) -> Timeline:
        names = self._names(asked)
        keys = names.keys()
        if not keys:
            return Timeline((BEGINNING_NS,), (Unpriced(NO_MODEL, names.provider, names.shown, names.flags),))
        found = self._found(names)
        if isinstance(found, CatalogueMatch) and found.rule.startswith("prefix:"):
            names = names._replace(shown=names.shown.partition("/")[2])
        if not names.provider:
            guess = found.provider if isinstance(found, CatalogueMatch) else self.catalogue.provider_claiming(keys[0])
            names = names._replace(provider=guess)
        bases = [base for base in map(fine_tune_base, keys) if base]
        listed = [catalogue_layer(found, self.catalogue, names, asked)] if isinstance(found, CatalogueMatch) else []
        by_base = isinstance(found, CatalogueMatch) and found.rule.startswith("fineTune:")
        layers = [
            *self._operator_layers(asked.org, names, keys),
            *([] if by_base else listed),
            *self._operator_layers(asked.org, names._replace(flags=(*names.flags, "fineTuned")), bases, "fineTune:"),
            *(listed if by_base else []),
            *self._operator_layers(asked.org, names, keys, operator=False),
        ]
        reason = found if isinstance(found, str) else NOT_BY_TOKENS
        return merged(layers, Unpriced(reason, names.provider, names.shown, names.flags))

    def _names(self, asked: Asked) -> CallNames:
        provider = canonical_provider(asked.provider)
        request, response = model_name(asked.request_model), model_name(asked.response_model)
        flags: tuple[str, ...] = ()
        if self._deployments:
            mapped = [self._deployed(provider, name) for name in (request, response)]
            flags = ("deployment",) if mapped != [request, response] else ()
            request, response = mapped
        if not flags and provider.startswith("azure.") and response.key in ("", request.key) and request.key:
            flags = ("deploymentName",)
        return CallNames(provider, request, response, shown_model(request, response), flags)

    def _deployed(self, provider: str, name: ModelName) -> ModelName:
        target = self._deployments.get((provider, name.key)) or self._deployments.get(("", name.key))
        return model_name(target) if target else name

    def _found(self, names: CallNames) -> CatalogueMatch | str:
        reasons = []
        plain = [name.key for name in (names.response, names.request) if name.key and not name.opaque]
        for key in plain:
            found = self.catalogue.find(names.provider, key)
            if isinstance(found, CatalogueMatch):
                return found
            reasons.append(found)
        for key in plain:
            base = self.catalogue.base_of_fine_tune(names.provider, key)
            if base is not None:
                return base
        return PROVIDER_AMBIGUOUS if PROVIDER_AMBIGUOUS in reasons else UNKNOWN_MODEL

    def _operator_layers(
        self, org: str, names: CallNames, keys: list[str], before: str = "", *, operator: bool = True
    ) -> Iterator[Layer]:
        if not self._versions:
            return
        for organisation in (org, "") if org else ("",):
            for rule, key in _operator_candidates(keys):
                for provider in (names.provider, "") if names.provider else ("",):
                    versions = self._versions.get((operator, organisation, provider, key))
                    if versions is not None:
                        yield operator_layer(versions, names, f"{before}{rule}")


def _operator_candidates(keys: list[str]) -> list[tuple[str, str]]:
    """Names an operator may have used for the call's model, the most exact first."""
    bare = [prefixed[1] if prefixed else key for key in keys for prefixed in [vendor_prefix(key)]]
    steps = [
        ("exact", keys),
        ("prefix", bare),
        ("undated", [undated(key) for key in bare]),
        ("region", [without_region(key) for key in bare]),
    ]
    first: dict[str, str] = {}
    for rule, candidates in steps:
        for key in candidates:
            first.setdefault(key, rule)
    return [(rule, key) for key, rule in first.items()]


def implausible(put: RatePut, book: PriceBook, now: datetime) -> dict[str, str]:
    """Which fields of ``put`` look like slips beside the catalogue, and why; none where that has no such model."""
    plain = PriceBook(book.catalogue, memo_limit=1)
    timeline = plain.timeline(Asked("", put.provider or None, put.model_id, None, None, False))
    offer = timeline.at(unix_ns(put.effective_from or now))
    return {} if isinstance(offer, Unpriced) else implausible_rates(put.stated, offer.day.rates[0].rates[0])

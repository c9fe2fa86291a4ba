"""Pricing again what was priced before: what should stand instead of an entry, and what that changes.

A correction never changes a row: it takes the standing entry back and writes a new one at the same time, with the same
tokens. Which calls, and by which rates, is said by ``finops.reprice_requests``.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from finops.entries import NO_USAGE_REASON, Entry, Measures, reversal
from finops.offers import Asked, Offer, Unpriced
from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, PriceLine
from finops.reprice_requests import Change

EPOCH_DAY = date(1970, 1, 1).toordinal()
NS_PER_DAY = 86_400 * 10**9
GROUPS_MAX = 20_000
"""Days times models of one preview; what lies beyond is in the totals only."""

_PRICE_FLAGS = frozenset(
    ("deployment", "deploymentName", "fineTuned", "listedFree", "providerGuessed", "searchesUnpriced", "tierUnpriced")
)
"""Marks the price gave; the others were said by the sender and stay."""
_PRICE_DETAIL = frozenset(("source", "matchRule", "tier", "lines", "unpricedReason", "flags", "repricedBy"))


def change(before: Entry, after: Entry) -> Change:
    """What replacing ``before`` by ``after`` changes."""
    old, new = before.measures, after.measures
    return Change(
        calls=old.calls,
        touched=0 if after is before else 1,
        before_pico=old.cost_pico or 0,
        after_pico=new.cost_pico or 0,
        unpriced_before=old.unpriced_calls,
        unpriced_after=new.unpriced_calls,
        savings_before_pico=_savings(old),
        savings_after_pico=_savings(new),
    )


def _savings(measures: Measures) -> int:
    return measures.semantic_savings_pico + measures.prompt_savings_pico


class ModelDay(NamedTuple):
    """One model on one UTC day, named as the ledger names it before."""

    day: date
    provider: str
    model_id: str


class Changes:
    """Adds changes up by model and day."""

    def __init__(self) -> None:
        self.total = Change()
        self.groups: dict[ModelDay, Change] = {}
        self.truncated = False

    def add(self, before: Entry, after: Entry) -> None:
        """One more call."""
        one = change(before, after)
        self.total = self.total.plus(one)
        key = ModelDay(_date(before.event_ns // NS_PER_DAY), before.belongings.provider, before.belongings.model_id)
        if key in self.groups or len(self.groups) < GROUPS_MAX:
            self.groups[key] = self.groups.get(key, Change()).plus(one)
        else:
            self.truncated = True


@lru_cache(maxsize=4096)
def _date(days: int) -> date:
    return date.fromordinal(EPOCH_DAY + days)


def repriced(entry: Entry, priced: Priced | Unpriced, mark: str) -> Entry:
    """``entry`` at another price, ``mark`` saying on whose account; ``entry`` itself where nothing would change."""
    detail = entry.detail or {}
    if detail.get("unpricedReason") == NO_USAGE_REASON or "startNs" not in detail:
        return entry
    measures, who = entry.measures, entry.belongings
    renamed = (who.provider, who.model_id) != (priced.provider, priced.model_id)
    if not renamed and _money(measures) == _new_money(measures, priced):
        return entry
    cost, prompt_savings, semantic_savings, unpriced = _new_money(measures, priced)
    measures = measures._replace(
        cost_pico=cost,
        prompt_savings_pico=prompt_savings,
        semantic_savings_pico=semantic_savings,
        unpriced_calls=unpriced,
    )
    belongings = who._replace(provider=priced.provider, model_id=priced.model_id) if renamed else who
    version = priced.rate_version if isinstance(priced, Priced) else None
    told = _detail(detail, priced) | {"repricedBy": mark}
    return entry._replace(belongings=belongings, measures=measures, rate_version=version, detail=told)


def billed_first(entry: Entry, first: Entry | None, mark: str) -> Entry:
    """``entry`` at the price its call was ``first`` billed at; itself where that was a call with other tokens."""
    if first is None or first.revision == entry.revision or _tokens(first) != _tokens(entry):
        return entry
    money = ("cost_pico", "unpriced_calls", "semantic_savings_pico", "prompt_savings_pico")
    measures = entry.measures._replace(**{name: getattr(first.measures, name) for name in money})
    names = {"provider": first.belongings.provider, "model_id": first.belongings.model_id}
    belongings = entry.belongings._replace(**names)
    if measures == entry.measures and belongings == entry.belongings:
        return entry
    told = {**(first.detail or {}), "repricedBy": mark}
    return entry._replace(belongings=belongings, measures=measures, rate_version=first.rate_version, detail=told)


def _tokens(entry: Entry) -> tuple[int, ...]:
    measures = entry.measures
    tokens = (measures.input_tokens, measures.cached_input_tokens, measures.cache_write_tokens)
    counts = (measures.calls, measures.unmetered_calls, measures.cache_hits, measures.saved_tokens)
    return *tokens, measures.cache_write_1h_tokens, measures.output_tokens, measures.reasoning_tokens, *counts


_Money = tuple[int | None, int, int, int]


def _money(measures: Measures) -> _Money:
    """(cost, prompt savings, semantic savings, unpriced calls) as they stand."""
    savings = (measures.prompt_savings_pico, measures.semantic_savings_pico)
    return measures.cost_pico, *savings, measures.unpriced_calls


def _new_money(measures: Measures, priced: Priced | Unpriced) -> _Money:
    known = isinstance(priced, Priced)
    cost = priced.cost_pico if isinstance(priced, Priced) else None
    if not measures.calls:
        return measures.cost_pico, measures.prompt_savings_pico, cost or 0, 0
    savings = priced.prompt_savings_pico if isinstance(priced, Priced) else 0
    return cost, savings, measures.semantic_savings_pico, 0 if known else measures.calls


def _detail(detail: Mapping[str, object], priced: Priced | Unpriced) -> dict[str, object]:
    told = {name: value for name, value in detail.items() if name not in _PRICE_DETAIL}
    flags = detail.get("flags")
    said = flags if isinstance(flags, list | tuple) else ()
    if marks := sorted({*(flag for flag in said if flag not in _PRICE_FLAGS), *priced.flags}):
        told["flags"] = marks
    if isinstance(priced, Unpriced):
        return told | {"unpricedReason": priced.reason}
    rule = {"source": priced.source, "matchRule": priced.match_rule, "tier": priced.tier}
    return told | rule | {"lines": [_line(line) for line in priced.lines]}


def _line(line: PriceLine) -> dict[str, object]:
    return {"kind": line.kind, "tokens": line.tokens, "rateFemto": line.rate_femto, "amountPico": line.amount_pico}


def corrections(pairs: Iterable[tuple[Entry, Entry]]) -> list[Entry]:
    """What has to be appended so that the second of each pair stands instead of the first."""
    found: list[Entry] = []
    for before, after in pairs:
        if after is not before:
            found.append(reversal(before, before.revision + 1))
            found.append(after._replace(revision=before.revision + 2))
    return found


def priceable(call: CallFacts, book: PriceBook) -> bool:
    """Whether ``book`` has a rate for calls like this one, at whatever time."""
    org = call.org if call.org in book.orgs else ""
    names = (call.provider, call.request_model, call.response_model, call.service_tier, call.batch)
    return any(isinstance(offer, Offer) for offer in book.timeline(Asked(org, *names)).offers)


def changed_pairs(entries: Sequence[Entry], after: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """Those that change."""
    return [(old, new) for old, new in zip(entries, after, strict=True) if new is not old]

"""Rates in files: an operator's own as CSV, and the LiteLLM price list as a second source.

The second source never overrides: its rates price only what neither the operator nor the catalogue prices. Where it
and the catalogue disagree, ``disagreements`` says by how many dollars, for the tokens that were used.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from finops.instants import read_instant
from finops.model_names import canonical_provider, vendor_prefix
from finops.money import amount_pico
from finops.offers import Asked, Offer, Unpriced
from finops.price_book import PriceBook
from finops.rate_versions import unix_ns
from finops.rates import (
    RATE_FEMTO_MAX,
    RATE_FIELDS,
    OperatorRate,
    RatePut,
    RefusedRate,
    StatedRates,
    per_k_tokens,
    stated_from_k_tokens,
)
from finops.usage import TokenUsage

LITELLM = "litellm"

COLUMNS = ("orgId", "provider", "modelId", *RATE_FIELDS.values(), "effectiveFrom", "reason")
"""Of the CSV; the first row names them, and a file may leave out all but modelId and the first two rates."""

_LITELLM_KEYS = {
    "input": "input_cost_per_token",
    "output": "output_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "reasoning": "output_cost_per_reasoning_token",
}
_WHOLE = Context(prec=60, rounding=ROUND_HALF_EVEN)


class RefusedFile(ValueError):
    """A file of which nothing is taken; ``faults`` are one line each, with the row's number."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


def rates_csv(rates: Iterable[OperatorRate]) -> Iterator[str]:
    """Rows of CSV, the header first; reading them back states the same rates."""
    yield _row(COLUMNS)
    for rate in rates:
        amounts = [getattr(rate.stated, kind) for kind in RATE_FIELDS]
        written = ["" if amount is None else f"{per_k_tokens(amount):f}" for amount in amounts]
        since = rate.effective_from.astimezone(UTC).isoformat() if rate.dated else ""
        yield _row((rate.org_id, rate.provider, rate.model_id, *written, since, rate.reason))


def _row(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(cells)
    return out.getvalue()


def rates_from_csv(text: str, author: str) -> list[RatePut]:
    """The rates a CSV file states; raises ``RefusedFile`` with every fault, and then takes none."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    unknown = sorted(set(reader.fieldnames or ()) - set(COLUMNS))
    if unknown or "modelId" not in (reader.fieldnames or ()):
        raise RefusedFile([f"row 1: columns must be among {', '.join(COLUMNS)}; unknown: {', '.join(unknown)}"])
    rates: list[RatePut] = []
    faults: list[str] = []
    for number, row in enumerate(reader, 2):
        try:
            rates.append(_put(row, author))
        except RefusedRate as refused:
            faults += [f"row {number}: {field} {reason}" for field, reason in refused.faults.items()]
    if faults:
        raise RefusedFile(faults)
    return rates


def _put(row: Mapping[str, str | None], author: str) -> RatePut:
    cells = {name: (row.get(name) or "").strip() for name in COLUMNS}
    if None in row or not cells["modelId"]:
        raise RefusedRate({"modelId": "is required, and a row has no more cells than the first"})
    return RatePut(
        model_id=cells["modelId"],
        stated=stated_from_k_tokens({name: cells[name] or None for name in RATE_FIELDS.values()}),
        org_id=cells["orgId"],
        provider=canonical_provider(cells["provider"]),
        effective_from=_instant(cells["effectiveFrom"]),
        author=author,
        reason=cells["reason"],
    )


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = read_instant(text)
    except ValueError:
        raise RefusedRate({"effectiveFrom": "is not an RFC 3339 time"}) from None
    if instant.tzinfo is None:
        raise RefusedRate({"effectiveFrom": "needs a time zone"})
    return instant.astimezone(UTC)


class SecondSource(NamedTuple):
    """What a LiteLLM price list states."""

    rates: list[RatePut]
    left_out: int
    """Entries without a price per token (images, seconds, pages), or with one no rate can be."""


def rates_from_litellm(text: str, author: str) -> SecondSource:
    """The token prices of LiteLLM's ``model_prices_and_context_window.json``; raises ``RefusedFile``."""
    try:
        entries = json.loads(text, parse_float=Decimal)
    except ValueError as fault:
        raise RefusedFile([f"not JSON: {fault}"]) from None
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise RefusedFile(["not a LiteLLM price list: an object of objects is expected"])
    found = [_from_litellm(name, entry, author) for name, entry in entries.items() if name != "sample_spec"]
    rates = {(put.provider, put.model_id.lower()): put for put in found if put is not None}
    return SecondSource(list(rates.values()), len(found) - len(rates))


def _from_litellm(name: str, entry: Mapping[str, object], author: str) -> RatePut | None:
    rates = {kind: _femto(entry.get(key)) for kind, key in _LITELLM_KEYS.items()}
    provider = canonical_provider(str(entry.get("litellm_provider", "")))
    if rates["input"] is None or not provider:
        return None
    prefixed = vendor_prefix(name.lower())
    model_id = name.partition("/")[2] if prefixed and prefixed[0] == provider else name
    stated = StatedRates(**{**rates, "output": rates["output"] or 0})
    return RatePut(model_id=model_id, stated=stated, provider=provider, author=author, source=LITELLM)


def _femto(usd_per_token: object) -> int | None:
    """To the nearest femto-USD: many of the list's prices are artefacts of floats."""
    if isinstance(usd_per_token, bool) or not isinstance(usd_per_token, int | Decimal):
        return None
    femto = Decimal(usd_per_token).scaleb(15, _WHOLE).to_integral_value(context=_WHOLE)
    return int(femto) if 0 <= femto <= RATE_FEMTO_MAX else None


def unstated(book: PriceBook, rates: Iterable[RatePut], now: datetime) -> list[RatePut]:
    """The rates that say something else than what holds at ``now``: importing a file twice changes nothing."""
    held = {
        (rate.source, rate.org_id, rate.provider, rate.model_id): rate for rate in book.operator_rates_at(unix_ns(now))
    }
    new = []
    for rate in rates:
        same = held.get((rate.source, rate.org_id, rate.provider, rate.model_id))
        when = same.effective_from if same is not None and same.dated else None
        if (
            same is None
            or same.stated != rate.stated
            or (rate.effective_from is not None and rate.effective_from != when)
        ):
            new.append(rate)
    return new


class Disagreement(NamedTuple):
    """A model two sources price differently."""

    provider: str
    model_id: str
    ours_pico: int
    """What the tokens used cost by the book."""
    theirs_pico: int
    """What they would cost by the other source."""


def disagreements(
    book: PriceBook, theirs: Iterable[RatePut], used: Mapping[tuple[str, str], TokenUsage], now: datetime
) -> list[Disagreement]:
    """Models in ``used`` (provider, model: tokens) whose price differs, the most dollars at stake first."""
    alone = PriceBook(book.catalogue, epoch=0).with_rates(
        [_version(number, rate, now) for number, rate in enumerate(theirs, 1)], 1
    )
    found = []
    for (provider, model_id), usage in used.items():
        asked = Asked("", provider or None, model_id, None, None, False)
        ours, other = (prices.timeline(asked).at(unix_ns(now)) for prices in (book, alone))
        if isinstance(ours, Unpriced) or isinstance(other, Unpriced):
            continue
        pair = _list_price(usage, ours), _list_price(usage, other)
        if pair[0] != pair[1]:
            found.append(Disagreement(provider, model_id, *pair))
    return sorted(found, key=lambda item: -abs(item.ours_pico - item.theirs_pico))


def _list_price(usage: TokenUsage, offer: Offer) -> int:
    """Text tokens of many calls at the rates of a short prompt, in pico-USD."""
    rates = offer.day.rates[0].rates[0]
    fresh = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens
    parts = (
        (fresh, rates.input),
        (usage.cached_input_tokens, rates.cached),
        (usage.cache_write_tokens, rates.cache_write_5m),
        (usage.output_tokens - usage.reasoning_tokens, rates.output),
        (usage.reasoning_tokens, rates.reasoning),
    )
    return sum(amount_pico(tokens, rate) for tokens, rate in parts)


def _version(number: int, rate: RatePut, now: datetime) -> OperatorRate:
    return OperatorRate(
        version=number,
        org_id="",
        provider=rate.provider,
        model_id=rate.model_id,
        ended=False,
        stated=rate.stated,
        dated=False,
        effective_from=now,
        created_at=now,
    )

"""What a model's tokens cost: rates as whole femto-USD per token, as stated and with every gap filled.

A price list seldom states every kind of token. ``StatedRates`` keeps what was said and what was not; ``Rates`` has a
number for every kind, after the fallbacks an invoice would use (a cached token with no price of its own is an input
token). Operator rates are asked for here too: what is refused, and what is refused unless confirmed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal, InvalidOperation
from typing import NamedTuple

from finops.money import FEMTO_PER_USD

RATE_FEMTO_MAX = 10 * FEMTO_PER_USD
"""A rate above 10 USD a token is refused, confirmed or not: one call of it could overflow a ledger row."""

IMPLAUSIBLE_FACTOR = 100
"""An operator rate this many times off the catalogue's, either way, needs to be confirmed."""

OPERATOR = "operator"

_EXACT = Context(prec=60)
_FEMTO_PER_K_TOKENS_EXPONENT = 12
"""Dollars per thousand tokens times 10**12 are femto-USD per token."""


class StatedRates(NamedTuple):
    """Femto-USD per token (per request, per search) as a price list states them; None: the list does not say."""

    input: int | None = None
    cached: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    input_audio: int | None = None
    cached_audio: int | None = None
    input_image: int | None = None
    output: int | None = None
    reasoning: int | None = None
    output_audio: int | None = None
    output_image: int | None = None
    request: int | None = None
    search: int | None = None


class Rates(NamedTuple):
    """Femto-USD per token (per request, per search) of every kind, gaps filled."""

    input: int
    cached: int
    cache_write_5m: int
    cache_write_1h: int
    input_audio: int
    cached_audio: int
    input_image: int
    output: int
    reasoning: int
    output_audio: int
    output_image: int
    request: int
    search: int


def filled(stated: StatedRates) -> Rates:
    """Every gap filled with the price of the more general kind; a kind without any stated ancestor is free."""
    fresh = stated.input or 0
    output = stated.output or 0
    short_write = _first(stated.cache_write_5m, fresh)
    audio = _first(stated.input_audio, fresh)
    cached = _first(stated.cached, fresh)
    return Rates(
        input=fresh,
        cached=cached,
        cache_write_5m=short_write,
        cache_write_1h=_first(stated.cache_write_1h, short_write),
        input_audio=audio,
        cached_audio=_first(stated.cached_audio, audio if stated.cached is None else cached),
        input_image=_first(stated.input_image, fresh),
        output=output,
        reasoning=_first(stated.reasoning, output),
        output_audio=_first(stated.output_audio, output),
        output_image=_first(stated.output_image, output),
        request=stated.request or 0,
        search=stated.search or 0,
    )


def _first(stated: int | None, otherwise: int) -> int:
    return otherwise if stated is None else stated


class TieredRates(NamedTuple):
    """Rates by the size of the prompt: crossing a threshold reprices all tokens of the call."""

    thresholds: tuple[int, ...]
    """Ascending; ``rates[i + 1]`` holds for calls with more than ``thresholds[i]`` input tokens, inclusive count."""
    rates: tuple[Rates, ...]
    """One more than thresholds."""
    stated: tuple[StatedRates, ...]
    """What ``rates`` was filled from."""


def flat(stated: StatedRates) -> TieredRates:
    """The same rates whatever the size of the prompt."""
    return TieredRates((), (filled(stated),), (stated,))


class RefusedRate(ValueError):
    """A rate that cannot be accepted; ``faults`` maps the field of the request to the reason."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in faults.items()))
        self.faults = dict(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePut:
    """An operator's statement of one model's price. Rates in femto-USD per token."""

    model_id: str
    stated: StatedRates
    org_id: str = ""
    """'' holds for every organisation."""
    provider: str = ""
    """Canonical; '' holds for the model on every provider."""
    effective_from: datetime | None = None
    """None: every call that arrives from now on, whenever it started."""
    author: str = ""
    reason: str = ""
    source: str = OPERATOR
    """``OPERATOR`` comes before the catalogue; any other source (``litellm``) only fills what the catalogue lacks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRate:
    """One stored version of an operator's rate, or the end of one. Never changed once stored."""

    version: int
    org_id: str
    provider: str
    model_id: str
    ended: bool
    """True: from ``effective_from`` on the operator states no price for this model any more."""
    stated: StatedRates
    dated: bool
    """True: holds for calls that started at ``effective_from`` or later; False: for all that arrive after it."""
    effective_from: datetime
    created_at: datetime
    source: str = OPERATOR
    author: str = ""
    reason: str = ""


def femto_from_k_tokens(usd_per_k_tokens: Decimal | int | str) -> int:
    """Dollars per thousand tokens as femto-USD per token, exactly; raises ``ValueError`` with the reason."""
    if isinstance(usd_per_k_tokens, (bool, float)):
        raise ValueError("must be a decimal number, not a float or a truth value")
    try:
        amount = Decimal(usd_per_k_tokens)
    except InvalidOperation:
        raise ValueError("is not a number") from None
    if not amount.is_finite():
        raise ValueError("must be finite")
    if amount < 0:
        raise ValueError("must not be negative")
    if not amount:
        return 0
    if amount.adjusted() > 6:
        raise ValueError("is more than 10 USD a token")
    too_fine = amount.adjusted() < -_FEMTO_PER_K_TOKENS_EXPONENT
    femto = Decimal(0) if too_fine else amount.scaleb(_FEMTO_PER_K_TOKENS_EXPONENT, _EXACT)
    if too_fine or femto != femto.to_integral_value():
        raise ValueError("has more than 12 decimals per thousand tokens and could not be kept exactly")
    if femto > RATE_FEMTO_MAX:
        raise ValueError("is more than 10 USD a token")
    return int(femto)


def per_k_tokens(rate_femto: int) -> Decimal:
    """Femto-USD per token as dollars per thousand tokens, exactly."""
    exact = Decimal(rate_femto).scaleb(-_FEMTO_PER_K_TOKENS_EXPONENT, _EXACT).normalize(_EXACT)
    exponent = exact.as_tuple().exponent
    return exact if isinstance(exponent, int) and exponent <= 0 else exact.quantize(Decimal(1), context=_EXACT)


FEMTO_FIELDS = {
    "input": "inputRatePerKTokens",
    "output": "outputRatePerKTokens",
    "cached": "cachedInputRatePerKTokens",
    "reasoning": "reasoningRatePerKTokens",
    "cache_write_5m": "cacheWriteRatePerKTokens",
    "cache_write_1h": "cacheWrite1hRatePerKTokens",
    "input_audio": "inputAudioRatePerKTokens",
    "cached_audio": "cachedAudioRatePerKTokens",
    "input_image": "inputImageRatePerKTokens",
    "output_audio": "outputAudioRatePerKTokens",
    "output_image": "outputImageRatePerKTokens",
    "request": "ratePerKRequests",
    "search": "ratePerKSearches",
}
"""Kinds of rate, with the names they have in the contract."""

RATE_FIELDS = {kind: FEMTO_FIELDS[kind] for kind in ("input", "output", "cached", "cache_write_5m", "reasoning")}
"""Rates an operator may state."""


def stated_from_k_tokens(amounts: Mapping[str, Decimal | int | str | None]) -> StatedRates:
    """``StatedRates`` of a request's ``...RatePerKTokens`` fields; raises ``RefusedRate`` naming every fault."""
    faults: dict[str, str] = {}
    rates: dict[str, int] = {}
    for kind, field in RATE_FIELDS.items():
        amount = amounts.get(field)
        if amount is None:
            if kind in ("input", "output"):
                faults[field] = "is required"
            continue
        try:
            rates[kind] = femto_from_k_tokens(amount)
        except ValueError as refused:
            faults[field] = str(refused)
    if faults:
        raise RefusedRate(faults)
    return StatedRates(**rates)


def implausible_rates(stated: StatedRates, listed: Rates) -> dict[str, str]:
    """Which fields of ``stated`` look like slips beside the catalogue's ``listed`` rates, and why. Free never does."""
    slips: dict[str, str] = {}
    for kind, field in RATE_FIELDS.items():
        ours: int | None = getattr(stated, kind)
        theirs: int = getattr(listed, kind)
        if not ours or not theirs:
            continue
        if ours > IMPLAUSIBLE_FACTOR * theirs or theirs > IMPLAUSIBLE_FACTOR * ours:
            slips[field] = (
                f"{per_k_tokens(ours):f} is more than {IMPLAUSIBLE_FACTOR} times off the catalogue's "
                f"{per_k_tokens(theirs):f}"
            )
    return slips

"""How an entry's detail is kept in little space: what a price is made by, and nothing that the entry says elsewhere.

The lines of a call of text alone follow from its counts and the rate of each kind, so the rates are kept, which repeat
from call to call, and the lines are made again when they are read. Whatever does not follow is kept as it is: what is
read is always what was written.
"""

from collections.abc import Mapping
from typing import NamedTuple

from finops.entries import Entry, Measures, Price, call_facts, entry_of, priced_entry, start_ns
from finops.money import amount_pico
from finops.postings import Posting
from finops.pricing import Priced
from finops.usage import TokenUsage

_LINES, _RATES, _START = "lines", "rates", "startNs"
_TEXT_KINDS = ("input", "cached", "cacheWrite5m", "cacheWrite1h", "output", "reasoning", "request")
"""In the order in which prices list them."""


class Terms(NamedTuple):
    """A detail as it is kept."""

    start_lag_us: int | None
    """Microseconds from the start of the call, by which it is priced, to its event time; None: nothing was priced."""
    detail: dict[str, object] | None


class How(NamedTuple):
    """All of a detail that repeats from call to call: how the price of a call of text was made."""

    provider: str | None
    request_model: str | None
    response_model: str | None
    service_tier: str | None
    batch: bool
    flags: tuple[str, ...]
    source: str
    match_rule: str
    tier: str
    rates: tuple[tuple[str, int], ...]
    """Kind of token and femto-USD, in the order of the lines."""

    def detail(self) -> dict[str, object]:
        """As it is kept."""
        said: dict[str, object] = {
            "statedProvider": self.provider,
            "requestModel": self.request_model,
            "responseModel": self.response_model,
            "serviceTier": self.service_tier,
            "batch": self.batch,
            "flags": sorted(set(self.flags)),
        }
        made = {"source": self.source, "matchRule": self.match_rule, "tier": self.tier, _RATES: dict(self.rates)}
        return {name: value for name, value in said.items() if value} | made


class Written(NamedTuple):
    """An entry about to be kept. Where ``how`` is said, it stands for the detail, which the entry leaves out."""

    entry: Entry
    start_lag_us: int | None = None
    how: How | None = None


_MOST = TokenUsage()[6:]
"""Audio, images and searches of most calls."""


def written(posting: Posting, revision: int, price: Price) -> Written:
    """The entry of a posting at today's rates, with its detail in the form that is cheapest to keep."""
    usage = posting.usage
    if usage is None or not posting.calls or posting.cache_hit is not None or usage[6:] != _MOST:
        return Written(entry_of(posting, revision, price))
    priced = price(call_facts(posting))
    if not isinstance(priced, Priced) or not start_ns(posting) or not _is_text(priced):
        return Written(entry_of(posting, revision, lambda call: priced))
    lag = posting.event_ns // 1000 - start_ns(posting) // 1000
    return Written(priced_entry(posting, revision, priced), lag, _how(posting, priced))


def _is_text(priced: Priced) -> bool:
    """Whether the lines follow from the counts and the rates."""
    return bool(priced.lines) and priced.lines[-1].kind != "request"


def _how(posting: Posting, priced: Priced) -> How:
    return How(
        posting.provider,
        posting.request_model,
        posting.response_model,
        posting.service_tier,
        posting.batch,
        posting.flags + priced.flags,
        priced.source,
        priced.match_rule,
        priced.tier,
        tuple([(line.kind, line.rate_femto) for line in priced.lines]),
    )


def kept(detail: Mapping[str, object] | None, measures: Measures, event_ns: int) -> Terms:
    """What to keep of an entry's detail. Times are kept to the microsecond."""
    if detail is None:
        return Terms(None, None)
    terms = dict(detail)
    start, lag = terms.get(_START), None
    if isinstance(start, int):
        del terms[_START]
        lag = event_ns // 1000 - start // 1000
    rates = _rates(terms.get(_LINES))
    if rates and _RATES not in terms and _lines(rates, measures) == terms[_LINES]:
        del terms[_LINES]
        terms[_RATES] = rates
    return Terms(lag, terms)


def told(terms: Terms, measures: Measures, event_ns: int) -> dict[str, object] | None:
    """The detail that was kept as ``terms``."""
    if terms.detail is None:
        return None
    detail = dict(terms.detail)
    if terms.start_lag_us is not None:
        detail[_START] = (event_ns // 1000 - terms.start_lag_us) * 1000
    rates = detail.get(_RATES)
    if isinstance(rates, dict) and _LINES not in detail:
        del detail[_RATES]
        detail[_LINES] = _lines(rates, measures)
    return detail


def _rates(lines: object) -> dict[str, int] | None:
    """The rate of each kind; None where a kind comes twice or is not of text."""
    if not isinstance(lines, list):
        return None
    rates = {line["kind"]: line["rateFemto"] for line in lines}
    return rates if len(rates) == len(lines) and rates.keys() <= set(_TEXT_KINDS) else None


def _lines(rates: Mapping[str, int], measures: Measures) -> list[dict[str, object]]:
    written, written_1h = measures.cache_write_tokens, measures.cache_write_1h_tokens
    counts = (
        measures.input_tokens - measures.cached_input_tokens - written,
        measures.cached_input_tokens,
        written - written_1h,
        written_1h,
        measures.output_tokens - measures.reasoning_tokens,
        measures.reasoning_tokens,
        1,
    )
    return [
        {"kind": kind, "tokens": count, "rateFemto": rates[kind], "amountPico": amount_pico(count, rates[kind])}
        for kind, count in zip(_TEXT_KINDS, counts, strict=True)
        if kind in rates
    ]

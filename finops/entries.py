"""The lines of the ledger: what a posting comes to once it has a price, and what takes it back."""

from collections.abc import Callable
from typing import NamedTuple

from finops.postings import EMBEDDINGS, Posting
from finops.pricing import CallFacts, Priced, Unpriced
from finops.usage import TokenUsage

Price = Callable[[CallFacts], Priced | Unpriced]

NO_USAGE_REASON = "noUsage"
_COLUMN_NAMES = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
)
_PART_NAMES = tuple(name for name in TokenUsage._fields if name not in _COLUMN_NAMES)
_NO_TOKENS = TokenUsage()
_NO_PARTS = (0,) * len(_PART_NAMES)


class Measures(NamedTuple):
    """Everything of an entry that adds up. A reversal is the negative of each."""

    calls: int = 0
    agent_runs: int = 0
    tool_calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_pico: int | None = 0
    """None: unknown. Then ``unpriced_calls`` says how many calls it leaves out."""
    unpriced_calls: int = 0
    unmetered_calls: int = 0
    cache_hits: int = 0
    cacheable_calls: int = 0
    saved_tokens: int = 0
    semantic_savings_pico: int = 0
    prompt_savings_pico: int = 0
    reported_cost_pico: int | None = None

    def reversed(self) -> "Measures":
        """The measures that take these back."""
        return Measures(*(None if value is None else -value for value in self))  # type: ignore[arg-type]


class Belongings(NamedTuple):
    """Who and what an entry belongs to. Empty text means: not said."""

    org_id: str
    team_id: str
    agent_id: str
    session_id: str
    user_id: str
    environment: str
    service: str
    provider: str
    model_id: str
    operation: str


class Entry(NamedTuple):
    """One row of the ledger; identity is (tenant, trace_id, span_id, revision)."""

    event_ns: int
    tenant: str
    trace_id: bytes
    span_id: bytes
    revision: int
    belongings: Belongings
    measures: Measures
    rate_version: int | None
    detail: dict[str, object] | None


def reversal(entry: Entry, revision: int) -> Entry:
    """What takes ``entry`` back, at its own time."""
    return entry._replace(revision=revision, measures=entry.measures.reversed(), detail={"reverses": entry.revision})


def entry_of(posting: Posting, revision: int, price: Price) -> Entry:
    """The entry of a posting at today's rates."""
    if posting.calls == 0 and posting.cache_hit is None:
        return _entry(posting, revision, Measures(agent_runs=posting.agent_runs, tool_calls=posting.tool_calls))
    priced = price(call_facts(posting))
    names = (priced.provider, priced.model_id)
    if isinstance(priced, Unpriced) or posting.usage is None:
        reason = NO_USAGE_REASON if posting.usage is None else _reason(priced)
        return _entry(posting, revision, _unpriced(posting), names, None, _detail(posting, priced.flags, reason))
    measures = _hit(posting, priced) if posting.cache_hit is not None else _priced(posting, priced)
    return _entry(posting, revision, measures, names, priced.rate_version, _priced_detail(posting, priced))


def priced_entry(posting: Posting, revision: int, priced: Priced) -> Entry:
    """The entry of a call with usage at its price, without its detail."""
    names = (priced.provider, priced.model_id)
    return _entry(posting, revision, _priced(posting, priced), names, priced.rate_version)


def moved(entry: Entry, posting: Posting, revision: int) -> Entry:
    """``entry`` under new belongings, at the price it had."""
    belongings = _belongings(posting, (entry.belongings.provider, entry.belongings.model_id))
    measures = entry.measures._replace(agent_runs=posting.agent_runs, tool_calls=posting.tool_calls)
    return entry._replace(revision=revision, event_ns=posting.event_ns, belongings=belongings, measures=measures)


def call_facts(posting: Posting) -> CallFacts:
    """What a posting's price depends on."""
    return _new(CallFacts, (
        posting.org_id, posting.provider, posting.request_model, posting.response_model, posting.operation,
        posting.usage or _NO_TOKENS, start_ns(posting), posting.service_tier, posting.batch,
    ))  # fmt: skip


def start_ns(posting: Posting) -> int:
    """The moment by which a call is priced, Unix nanoseconds in whole microseconds."""
    return _whole_us(posting.start_ns or posting.event_ns)


def _whole_us(unix_ns: int) -> int:
    """Down to the microsecond, as the ledger keeps times; no rate begins in between."""
    return unix_ns // 1000 * 1000


def facts_of_entry(entry: Entry) -> CallFacts:
    """What the price of a standing call's entry depends on; the opposite of ``entry_of``."""
    detail = entry.detail or {}
    parts = detail.get("parts")
    counts = {name: getattr(entry.measures, name) for name in _COLUMN_NAMES}
    counts.update(parts if isinstance(parts, dict) else {})
    counts.update(_saved_usage(detail))
    start = detail.get("startNs")
    return CallFacts(
        entry.belongings.org_id,
        _text(detail.get("statedProvider")),
        _text(detail.get("requestModel")),
        _text(detail.get("responseModel")),
        entry.belongings.operation,
        TokenUsage(**counts),
        _whole_us(start if isinstance(start, int) else entry.event_ns),
        _text(detail.get("serviceTier")),
        bool(detail.get("batch")),
    )


def _saved_usage(detail: dict[str, object]) -> dict[str, int]:
    saved = detail.get("savedUsage")
    return saved if isinstance(saved, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _reason(priced: Priced | Unpriced) -> str:
    return priced.reason if isinstance(priced, Unpriced) else ""


def _tokens(
    posting: Posting, cost_pico: int | None, prompt_savings_pico: int = 0, unpriced: int = 0, unmetered: int = 0
) -> Measures:
    given, made, cached, written, written_1h, thought, _, _, _, _, _, _ = posting.usage or _NO_TOKENS
    cacheable = 0 if posting.operation == EMBEDDINGS else posting.calls
    return _new(Measures, (
        posting.calls, posting.agent_runs, posting.tool_calls, given, cached, written, written_1h, made, thought,
        cost_pico, unpriced, unmetered, 0, cacheable, 0, 0, prompt_savings_pico, posting.reported_cost_pico_usd,
    ))  # fmt: skip


def _priced(posting: Posting, priced: Priced) -> Measures:
    return _tokens(posting, priced.cost_pico, priced.prompt_savings_pico)


def _unpriced(posting: Posting) -> Measures:
    if posting.cache_hit is not None:
        return _hit(posting, None)
    unmetered = posting.calls if posting.usage is None else 0
    return _tokens(posting, None, unpriced=posting.calls, unmetered=unmetered)


def _hit(posting: Posting, priced: Priced | None) -> Measures:
    usage = posting.usage or _NO_TOKENS
    return Measures(
        cache_hits=1,
        cacheable_calls=1,
        saved_tokens=usage.input_tokens + usage.output_tokens,
        semantic_savings_pico=priced.cost_pico if priced is not None else 0,
        reported_cost_pico=posting.reported_cost_pico_usd,
    )


def _belongings(posting: Posting, names: tuple[str, str]) -> Belongings:
    return _new(Belongings, (
        posting.org_id, posting.team_id, posting.agent_id, posting.session_id, posting.user_id, posting.environment,
        posting.service, names[0], names[1], posting.operation,
    ))  # fmt: skip


def _entry(
    posting: Posting,
    revision: int,
    measures: Measures,
    names: tuple[str, str] = ("", ""),
    rate_version: int | None = None,
    detail: dict[str, object] | None = None,
) -> Entry:
    return _new(Entry, (
        posting.event_ns, posting.tenant, posting.trace_id, posting.span_id, revision, _belongings(posting, names),
        measures, rate_version, detail,
    ))  # fmt: skip


_new = tuple.__new__
"""Makes a named tuple without naming its fields: half the time."""


def _detail(posting: Posting, flags: tuple[str, ...], reason: str = "") -> dict[str, object]:
    """All that a price needs beyond the columns, so that an entry can be priced again by itself."""
    said = {
        "startNs": start_ns(posting),
        "statedProvider": posting.provider,
        "requestModel": posting.request_model,
        "responseModel": posting.response_model,
        "serviceTier": posting.service_tier,
        "batch": posting.batch,
        "parts": _counts(posting.usage, _PART_NAMES),
    }
    detail: dict[str, object] = {name: value for name, value in said.items() if value}
    if posting.flags or flags:
        detail["flags"] = sorted({*posting.flags, *flags})
    if reason:
        detail["unpricedReason"] = reason
    if posting.cache_hit is not None:
        detail["cacheHit"] = posting.cache_hit
        detail["savedUsage"] = _counts(posting.usage, _COLUMN_NAMES)
    return detail


def _counts(usage: TokenUsage | None, names: tuple[str, ...]) -> dict[str, int]:
    """Those of the counts that are not 0: of a call the ones without a column, of a cache hit all of them."""
    if usage is None or (names is _PART_NAMES and usage[-len(_PART_NAMES) :] == _NO_PARTS):
        return {}
    return {name: count for name in names if (count := getattr(usage, name))}


def _priced_detail(posting: Posting, priced: Priced) -> dict[str, object]:
    lines = [
        {"kind": line.kind, "tokens": line.tokens, "rateFemto": line.rate_femto, "amountPico": line.amount_pico}
        for line in priced.lines
    ]
    rule = {"source": priced.source, "matchRule": priced.match_rule, "tier": priced.tier}
    return {**_detail(posting, priced.flags), **rule, "lines": lines}

"""The facts reports state: rows of counts and pico-USD, as ``ledger`` reads them and ``query_api`` writes them.

Empty text means: not said. ``None`` money means: unknown, which is never zero.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Generic, NamedTuple, TypeVar

from finops.roi import CacheMoney

Rows = TypeVar("Rows")


class Stated(NamedTuple, Generic[Rows]):
    """An answer, and the newest instant up to which everything recorded is in it."""

    answer: Rows
    complete_through: datetime
    pending_ranges: int = 0
    """Quarter hours with late entries that sums do not have yet."""


class Filters(NamedTuple):
    """Which rows count: None is all; otherwise any of the values ('' matches what was not said)."""

    orgs: tuple[str, ...] | None = None
    agents: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    environments: tuple[str, ...] | None = None


NO_FILTERS = Filters()


class Totals(NamedTuple):
    """Sums over calls. Input includes cached and cache-write tokens, output includes reasoning."""

    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_pico: int | None = 0
    """The priced sum; None where there are calls and not one has a price."""
    unpriced_calls: int = 0
    """How many of the calls the cost leaves out."""


class AgentDay(NamedTuple):
    """One agent of one organisation on one calendar day."""

    day: date
    org_id: str
    agent_id: str
    totals: Totals
    agent_runs: int
    tool_calls: int


class AgentSpend(NamedTuple):
    """One agent of one organisation over a period."""

    org_id: str
    agent_id: str
    totals: Totals
    agent_runs: int
    tool_calls: int
    share: Decimal | None
    """Part of the priced spend of the whole answer, 0 to 1; None where either is unknown or all is free."""


class ModelSpend(NamedTuple):
    """One model of one provider over a period."""

    provider: str
    model_id: str
    totals: Totals
    share: Decimal | None


class SessionBurn(NamedTuple):
    """One active session of one agent, and its sliding window."""

    org_id: str
    session_id: str
    agent_id: str
    spend_pico: int | None
    """Priced spend inside the window; None where the window has calls and not one has a price."""
    calls: int
    """Calls inside the window."""
    unpriced_calls: int
    """How many of them the spend leaves out."""
    first_seen_at: datetime
    last_seen_at: datetime
    baseline_pico_per_hour: Decimal | None


class Fastest(NamedTuple):
    """Some of the active sessions, the fastest first."""

    sessions: Sequence[SessionBurn]
    active: int
    """How many sessions are active."""


class AgentBurn(NamedTuple):
    """What all sessions of one agent spent inside the window."""

    org_id: str
    agent_id: str
    spend_pico: int | None
    """None where the window has calls and not one has a price."""


class BurnGauges(NamedTuple):
    """What burns now, by agent."""

    agents: Sequence[AgentBurn]
    """The fastest first."""
    anomalies: Sequence[tuple[str, str, str, int]]
    """Organisation, agent, severity, open anomalies."""


class CacheStep(NamedTuple):
    """What caching did in one step of time."""

    bucket_start: datetime
    cache_hits: int
    cacheable_calls: int
    """Hits and misses together."""
    saved_tokens: int
    money: CacheMoney


class CallEntry(NamedTuple):
    """One call, agent run or tool call as it now stands in the ledger, all corrections applied."""

    trace_id: str
    span_id: str
    revisions: int
    event_time: datetime
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
    totals: Totals
    agent_runs: int
    tool_calls: int
    cache_hits: int
    saved_tokens: int
    semantic_savings_pico: int
    prompt_savings_pico: int
    reported_cost_pico: int | None
    rate_version: int | None
    detail: object
    """How the price was made: lines per token kind, match rule, tier, flags. None where nothing was priced."""


class SpanVerdict(NamedTuple):
    """One span and what the counting rule made of it."""

    trace_id: str
    span_id: str
    parent_span_id: str
    event_time: datetime
    arrived_at: datetime
    span_class: int
    verdict: str
    reason: str
    revisions: int
    would_cost_pico: int | None
    """What a naive sum would have added."""
    facts: object


class DrillDown(NamedTuple):
    """Everything about one session or one trace."""

    totals: Totals
    agent_runs: int
    tool_calls: int
    calls: Sequence[CallEntry]
    spans: Sequence[SpanVerdict]
    truncated: bool
    """More calls or spans exist than are listed; the totals cover them all."""


class VerdictCount(NamedTuple):
    """How many spans got one verdict, and what a naive sum would have added for them."""

    verdict: str
    spans: int
    priced_pico: int
    """Of those whose cost is known; for billed spans, what stands in the ledger."""
    unpriced_spans: int = 0
    """Those whose cost is unknown: no rate has a price for their usage, or a call states none."""

    @property
    def would_cost_pico(self) -> int | None:
        """None where nothing of it is known."""
        return None if self.unpriced_spans and not self.priced_pico else self.priced_pico


class UnpricedModel(NamedTuple):
    """A model with calls that no rate covers."""

    provider: str
    model_id: str
    calls: int
    input_tokens: int
    output_tokens: int
    unmetered_calls: int
    """Of the calls: the sender never stated their usage."""


class ReportedCost(NamedTuple):
    """What senders say calls of a model cost, beside what the ledger says. In pico-USD."""

    provider: str
    model_id: str
    calls: int
    unpriced_calls: int
    """Of the calls: those the ledger has no price for."""
    reported_pico: int
    reported_for_priced_pico: int
    """Of the reported: that for calls the ledger has a price for."""
    cost_pico: int


class SuspenseCount(NamedTuple):
    """Spans in suspense for one reason."""

    reason: str
    spans: int
    replayable_spans: int
    """Of the spans: those of which enough is kept to be tried again after a fix."""


class Coverage(NamedTuple):
    """What became of everything that arrived in a period, and the sums over the calls that happened in it."""

    verdicts: Sequence[VerdictCount]
    """Spans that arrived in the period; those that came again have the verdict ``redelivered``."""
    suspense: Sequence[SuspenseCount]
    """By reason, the most frequent first, of spans that arrived in the period."""
    totals: Totals
    """Of calls whose event time lies in the period, like all that follows."""
    unmetered_calls: int
    unpriced_models: Sequence[UnpricedModel]
    reported_costs: Sequence[ReportedCost] = ()
    """Models whose senders state a cost, the largest difference first. Kept beside ours, never trusted."""


class AgentActivity(NamedTuple):
    """Everything one agent ever did, as counters tell it."""

    org_id: str
    agent_id: str
    agent_runs: int
    tool_calls: int


class Lifetime(NamedTuple):
    """Sums over the whole ledger, for counters."""

    activity: Sequence[AgentActivity]
    semantic_savings_pico: int
    prompt_savings_pico: int
    embedding_calls: int
    """Priced embedding calls."""
    embedding_cost_pico: int
    embedding_cost_max_pico: int
    """Dearest embedding call of the last minutes; 0 when idle."""


class Baseline(NamedTuple):
    """What an operator says is normal for one session of an agent."""

    org_id: str
    """Empty: every organisation that states none of its own."""
    agent_id: str
    baseline_usd_per_hour: Decimal
    updated_at: datetime
    updated_by: str
    anomaly_multiplier: Decimal | None = None
    """So many times the baseline is abnormal; None: what the query API is set to."""

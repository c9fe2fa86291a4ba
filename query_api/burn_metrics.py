"""Gauges of what burns now and of open anomalies, by agent; beyond a limit agents share one series.

Summed from the ledger, so every replica tells the same; remembered for some seconds, for there may be many sessions.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from finops.burn import burn_rate_usd_per_hour
from finops.reports import BurnGauges, Filters
from query_api.auth import within
from query_api.exchange import Ask
from query_api.exposition import Family, Labels, Sample

SERIES_MAX = 100
"""Agents with series of their own, the fastest; the rest is summed as ``other``."""
REMEMBERED_SECONDS = 10.0
REMEMBERED_MAX = 64
"""Organisations whose gauges are remembered at once."""
OTHER = "other"


class GaugeReport(Protocol):
    """What is asked of the ledger."""

    async def gauges(self, now: datetime, window_seconds: int, filters: Filters) -> BurnGauges: ...


class BurnMetrics:
    """A source of metric families."""

    def __init__(self, report: GaugeReport, window_seconds: int, monotonic: Callable[[], float]) -> None:
        self._report = report
        self._window_seconds = window_seconds
        self._monotonic = monotonic
        self._remembered: OrderedDict[str | None, tuple[float, list[Family]]] = OrderedDict()

    async def families(self, ask: Ask) -> list[Family]:
        """What ``ask`` may see of them."""
        known = self._remembered.get(ask.grant.org_id)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        gauges = await self._report.gauges(ask.now, self._window_seconds, within(ask.grant, Filters()))
        found = burn_families(gauges, self._window_seconds)
        self._remembered[ask.grant.org_id] = (self._monotonic() + REMEMBERED_SECONDS, found)
        if len(self._remembered) > REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return found


def burn_families(gauges: BurnGauges, window_seconds: int) -> list[Family]:
    """The gauges as families. An agent whose rate is unknown has no series of it."""
    named = {(agent.org_id, agent.agent_id) for agent in gauges.agents[:SERIES_MAX]}

    def labels(org_id: str, agent_id: str, *more: tuple[str, str]) -> Labels:
        own = (org_id, agent_id) in named or len(gauges.agents) <= SERIES_MAX
        agent, org = (agent_id, org_id) if own else (OTHER, OTHER)
        return (("agent_id", agent), ("org_id", org), *more)

    spends = [(labels(one.org_id, one.agent_id), one.spend_pico) for one in gauges.agents if one.spend_pico is not None]
    rates = [(of, burn_rate_usd_per_hour(spend, window_seconds)) for of, spend in _summed(spends)]
    opened = [(labels(org, agent, ("severity", severity)), count) for org, agent, severity, count in gauges.anomalies]
    return [
        _gauge("finops_burn_usd_per_hour", "What the sessions of an agent burn now, in USD an hour.", rates),
        _gauge("finops_anomalies_open", "Anomalies that are open.", _summed(opened)),
    ]


def _summed(values: Sequence[tuple[Labels, int]]) -> list[tuple[Labels, int]]:
    sums: dict[Labels, int] = {}
    for labels, value in values:
        sums[labels] = sums.get(labels, 0) + value
    return list(sums.items())


def _gauge(name: str, meaning: str, values: Sequence[tuple[Labels, Decimal | int]]) -> Family:
    return Family(name, "gauge", meaning, [Sample("", labels, value) for labels, value in values])

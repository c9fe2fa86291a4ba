"""The four metric families, summed from the ledger: right on every replica and after every restart; others add theirs.

Corrections can lower a sum; a counter that falls looks like a restart, so each holds its highest value. Agents beyond
a limit share one series.
"""

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from finops.money import usd
from finops.reports import AgentActivity, Filters, Lifetime
from query_api.auth import within
from query_api.exchange import Answer, Ask
from query_api.exposition import OPEN_METRICS, PLAIN, Family, Labels, Sample, page

SERIES_MAX = 1000
"""Agents with series of their own; the rest is summed as ``other``."""
SCRAPERS_MAX = 64
"""Organisations whose highest values are remembered at once."""
OTHER = "other"


class LifetimeReport(Protocol):
    """What is asked of the ledger."""

    async def lifetime(self, now: datetime, filters: Filters) -> Lifetime: ...


class FamilySource(Protocol):
    """Who has further metric families to show."""

    async def families(self, ask: Ask) -> Sequence[Family]:
        """What ``ask`` may see of them."""


class HighWater:
    """Values that never fall, and the agents that have series of their own, for as long as this process lives."""

    def __init__(self) -> None:
        self._highest: dict[tuple[str, Labels], int] = {}
        self._named: set[Labels] = set()

    def at_least(self, name: str, labels: Labels, value: int) -> int:
        """The highest value this series has had."""
        highest = max(value, self._highest.get((name, labels), 0))
        self._highest[name, labels] = highest
        return highest

    def series(self, name: str) -> list[Sample]:
        """Every series of a counter there has been, in the order of its labels."""
        return [
            Sample("_total", labels, highest) for (of, labels), highest in sorted(self._highest.items()) if of == name
        ]

    def label(self, activity: AgentActivity) -> Labels:
        """The labels of an agent: its own while there is room, else everybody else's."""
        own = (("agent_id", activity.agent_id), ("org_id", activity.org_id))
        if own in self._named or len(self._named) < SERIES_MAX:
            self._named.add(own)
            return own
        return (("agent_id", OTHER), ("org_id", OTHER))


class Prometheus:
    """The endpoint /actuator/prometheus."""

    def __init__(self, report: LifetimeReport, *more: FamilySource) -> None:
        self._report = report
        self._more = more
        self._marks: OrderedDict[str | None, HighWater] = OrderedDict()

    async def scrape(self, ask: Ask) -> Answer:
        """The page, OpenMetrics where the scraper prefers it."""
        lifetime = await self._report.lifetime(ask.now, within(ask.grant, Filters()))
        open_metrics = "application/openmetrics-text" in ask.accept
        shown = families(lifetime, self._mark(ask.grant.org_id))
        for source in self._more:
            shown += await source.families(ask)
        content = page(shown, ask.values["includedNames"], open_metrics=open_metrics)
        return Answer(content, OPEN_METRICS if open_metrics else PLAIN)

    def _mark(self, org_id: str | None) -> HighWater:
        mark = self._marks.setdefault(org_id, HighWater())
        self._marks.move_to_end(org_id)
        if len(self._marks) > SCRAPERS_MAX:
            self._marks.popitem(last=False)
        return mark


def families(lifetime: Lifetime, mark: HighWater) -> list[Family]:
    """The ledger's sums as Micrometer's meters would print them."""
    runs = [(mark.label(row), row.agent_runs) for row in lifetime.activity]
    tools = [(mark.label(row), row.tool_calls) for row in lifetime.activity]
    semantic = mark.at_least("savings", (("cache", "semantic"),), lifetime.semantic_savings_pico)
    prompt = mark.at_least("savings", (("cache", "prompt"),), lifetime.prompt_savings_pico)
    calls = mark.at_least("embedding_calls", (), lifetime.embedding_calls)
    cost = mark.at_least("embedding_cost", (), lifetime.embedding_cost_pico)
    savings = [
        Sample("_total", (("cache", "prompt"),), usd(prompt)),
        Sample("_total", (("cache", "semantic"),), usd(semantic)),
    ]
    embeddings = [Sample("_count", (), calls), Sample("_sum", (), usd(cost))]
    dearest = [Sample("", (), usd(lifetime.embedding_cost_max_pico))]
    name = "finops_embedding_cost_usd"
    return [
        Family("agent_runs", "counter", "Runs of agents.", _counted("agent_runs", runs, mark)),
        Family("agent_tool_calls", "counter", "Tool calls of agents.", _counted("agent_tool_calls", tools, mark)),
        Family("finops_cache_savings_usd", "counter", "USD saved by caches.", savings),
        Family(name, "summary", "USD spent on priced embedding calls.", embeddings),
        Family(f"{name}_max", "gauge", "Dearest embedding call of the last three minutes, in USD.", dearest),
    ]


def _counted(name: str, counts: Sequence[tuple[Labels, int]], mark: HighWater) -> list[Sample]:
    sums: dict[Labels, int] = {}
    for labels, count in counts:
        sums[labels] = sums.get(labels, 0) + count
    for labels, count in sums.items():
        mark.at_least(name, labels, count)
    return mark.series(name)

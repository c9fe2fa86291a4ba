"""The first sight of what was spent: every figure of it from one look at the ledger, so that they add up.

Days are the smallest part; months, periods and today are sums of them. Reading is left to ``ledger``.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from finops.periods import Period
from finops.ratios import share
from finops.reports import AgentSpend, CacheStep, ModelSpend, Totals
from finops.roi import CacheMoney

KINDS = ("agent", "model", "org")
"""What the days of an overview can be divided by."""
NAMES_MAX = 5
"""So many names of a kind stand by themselves, the dearest; all others are one."""


class Sums(NamedTuple):
    """What some calls came to."""

    calls: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    priced_pico: int = 0
    """Of the calls that have a price."""
    unpriced_calls: int = 0
    unmetered_calls: int = 0
    agent_runs: int = 0
    tool_calls: int = 0
    cache_hits: int = 0
    cacheable_calls: int = 0
    saved_tokens: int = 0
    semantic_savings_pico: int = 0
    prompt_savings_pico: int = 0
    embedding_cost_pico: int = 0

    @property
    def totals(self) -> Totals:
        """With an unknown cost where there are calls and not one has a price."""
        unknown = 0 < self.calls <= self.unpriced_calls
        return Totals(*self[:6], None if unknown else self.priced_pico, self.unpriced_calls)

    @property
    def money(self) -> CacheMoney:
        """What caching saved and what embeddings cost."""
        return CacheMoney(*self[14:])

    @property
    def has_calls(self) -> bool:
        """Whether anything happened that a report of spend has a row for."""
        return any((self.calls, self.agent_runs, self.tool_calls, self.priced_pico))

    @property
    def has_caching(self) -> bool:
        """Whether anything happened that a report of caching has a row for."""
        return any((self.cacheable_calls, self.cache_hits, *self.money))


class NamedDay(NamedTuple):
    """One name on one calendar day."""

    day: date
    name: str | None
    """None: all that do not stand by themselves."""
    sums: Sums

    @property
    def totals(self) -> Totals:
        """Of the sums."""
        return self.sums.totals


class OrgSpend(NamedTuple):
    """One organisation over a period."""

    org_id: str
    totals: Totals
    agent_runs: int
    tool_calls: int
    share: Decimal | None
    """As of an agent."""


class Overview(NamedTuple):
    """What was spent in a period, and in the days that a forecast needs."""

    period: Period
    history: Period
    """Days that end with the same day, the period and the whole month among them."""
    kind: str
    names: Sequence[str]
    """The dearest of the kind in the period, the dearest first."""
    days: Sequence[NamedDay]
    """Of the history, in order of time."""
    agents: Sequence[AgentSpend]
    models: Sequence[ModelSpend]
    orgs: Sequence[OrgSpend]

    def since(self, first: date) -> Sums:
        """What was spent from the day ``first`` on."""
        return summed(row.sums for row in self.days if row.day >= first)

    @property
    def days_of_period(self) -> list[NamedDay]:
        """In which anything was spent."""
        first = self.period.days[0]
        return [row for row in self.days if row.day >= first and row.sums.has_calls]

    @property
    def cache_steps(self) -> list[CacheStep]:
        """What caching did on each day of the period; days in which nothing happened are left out."""
        by_day: defaultdict[date, list[Sums]] = defaultdict(list)
        for row in self.days:
            by_day[row.day].append(row.sums)
        steps = [
            (start, summed(by_day.get(day, ())))
            for day, start in zip(self.period.days, self.period.starts, strict=True)
        ]
        return [
            CacheStep(start, one.cache_hits, one.cacheable_calls, one.saved_tokens, one.money)
            for start, one in steps
            if one.has_caching
        ]


def orgs_of(agents: Iterable[AgentSpend]) -> list[OrgSpend]:
    """What agents spent by organisation, the dearest first, those whose cost is unknown last."""
    members: defaultdict[str, list[AgentSpend]] = defaultdict(list)
    for agent in agents:
        members[agent.org_id].append(agent)
    spent = [
        (
            org_id,
            added(one.totals for one in its),
            sum(one.agent_runs for one in its),
            sum(one.tool_calls for one in its),
        )
        for org_id, its in members.items()
    ]
    priced = sum(totals.cost_pico or 0 for _, totals, _, _ in spent)
    rows = [OrgSpend(*one, share(one[1].cost_pico, priced)) for one in spent]
    return sorted(rows, key=lambda row: (*_dearest_first(row.totals), row.org_id))


def dearest(spent: Iterable[tuple[str, Totals]]) -> list[str]:
    """The names that stand by themselves: those that cost most together, of all that share a name."""
    members: defaultdict[str, list[Totals]] = defaultdict(list)
    for name, totals in spent:
        members[name].append(totals)
    costs = {name: added(its) for name, its in members.items()}
    return sorted(costs, key=lambda name: (*_dearest_first(costs[name]), name))[:NAMES_MAX]


def added(rows: Iterable[Totals]) -> Totals:
    """Totals of totals; the cost is unknown where there are calls and not one has a price."""
    sums = Totals(*(sum(value or 0 for value in column) for column in zip(*rows, strict=True)))
    return sums._replace(cost_pico=None) if 0 < sums.calls <= sums.unpriced_calls else sums


def _dearest_first(totals: Totals) -> tuple[bool, int]:
    return totals.cost_pico is None, -(totals.cost_pico or 0)


def summed(rows: Iterable[Sums]) -> Sums:
    """The sums of sums, exact."""
    columns = list(zip(*rows, strict=True))
    return Sums(*map(sum, columns)) if columns else Sums()

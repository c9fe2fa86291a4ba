"""GET /overview: what the first view of the page says about spend, all of it from one look at the ledger."""

from datetime import date
from typing import NamedTuple, Protocol

from finops.overview import KINDS, Overview, Sums
from finops.periods import DAYS_MAX, Period, trailing_days
from finops.reports import Filters, Stated, Totals
from query_api.answers import ACTIVITY, ALLOCATION, CACHE_IMPACT, MODEL_ALLOCATION, ROI_STATS, totals_fields
from query_api.auth import within
from query_api.endpoints.costs import RoiStats
from query_api.endpoints.forecast import FORECAST, MonthForecast, month_forecast
from query_api.exchange import Answer, Ask, costs_told
from query_api.parameters import Parameter, filters_of, one_of, period_of
from query_api.shapes import COUNT, DAY, FLAG, INSTANT, NUMBER, TEXT, Field, Kind, Shape, field

BY = Parameter(
    "by", one_of(*KINDS), {"type": "string", "enum": list(KINDS), "default": "agent"}, "Divides the days", "agent"
)
_NAMES = Kind(list, {"type": "array", "items": {"type": "string"}})
_CALLS = (*totals_fields(), *ACTIVITY)


class OverviewReport(Protocol):
    """What is asked of the ledger."""

    async def overview(self, period: Period, history: Period, filters: Filters, kind: str) -> Stated[Overview]: ...


class Spent(NamedTuple):
    """What was spent from a day on, until today."""

    first: date
    sums: Sums

    @property
    def totals(self) -> Totals:
        """Of the sums."""
        return self.sums.totals

    @property
    def agent_runs(self) -> int:
        """Of the sums."""
        return self.sums.agent_runs

    @property
    def tool_calls(self) -> int:
        """Of the sums."""
        return self.sums.tool_calls


class Seen(NamedTuple):
    """An overview as it is told."""

    found: Overview
    forecast: MonthForecast

    def since(self, first: date) -> Spent:
        """From the day ``first`` until today."""
        return Spent(first, self.found.since(first))

    @property
    def roi(self) -> RoiStats:
        """Of the period."""
        period = self.found.period
        return RoiStats(self.found.since(period.days[0]).money, period.start)


SPENT = Shape("SpentSince", (field("since", DAY, "first"), *_CALLS))
SPENT_BY_DAY = Shape(
    "SpentByDay",
    (
        field("date", DAY, "day"),
        field("name", TEXT, "name"),
        Field("others", FLAG, lambda row: row.name is None),
        *totals_fields(),
        field("agentRuns", COUNT, "sums.agent_runs"),
        field("toolCalls", COUNT, "sums.tool_calls"),
    ),
)
ORG_ALLOCATION = Shape(
    "OrgAllocation", (field("orgId", TEXT, "org_id"), *_CALLS, field("shareOfCost", NUMBER, "share", nullable=True))
)
OVERVIEW = Shape(
    "Overview",
    (
        field("from", INSTANT, "found.period.start"),
        field("to", INSTANT, "found.period.end"),
        Field("today", SPENT, lambda seen: seen.since(seen.found.history.days[-1])),
        Field("month", SPENT, lambda seen: seen.since(seen.found.history.days[-1].replace(day=1))),
        Field("period", SPENT, lambda seen: seen.since(seen.found.period.days[0])),
        Field("ninetyDays", SPENT, lambda seen: seen.since(seen.found.history.days[0])),
        field("forecast", FORECAST, "forecast"),
        field("by", TEXT, "found.kind"),
        field("names", _NAMES, "found.names"),
        field("days", SPENT_BY_DAY, "found.days_of_period", many=True),
        field("byAgent", ALLOCATION, "found.agents", many=True),
        field("byModel", MODEL_ALLOCATION, "found.models", many=True),
        field("byOrg", ORG_ALLOCATION, "found.orgs", many=True),
        field("roiStats", ROI_STATS, "roi"),
        field("cacheImpact", CACHE_IMPACT, "found.cache_steps", many=True),
    ),
)


class OverviewEndpoint:
    """GET /overview."""

    def __init__(self, report: OverviewReport) -> None:
        self._report = report

    async def overview(self, ask: Ask) -> Answer:
        """Spend of a period by day, agent, model and organisation; today, the month and the rest of it."""
        values, filters = ask.values, within(ask.grant, filters_of(ask.values))
        history = trailing_days(DAYS_MAX, values["tz"], ask.now)
        stated = await self._report.overview(period_of(values, ask.now), history, filters, values["by"])
        seen = Seen(stated.answer, month_forecast(stated.answer.days, history, ask.now))
        return costs_told(OVERVIEW.render(seen), stated)

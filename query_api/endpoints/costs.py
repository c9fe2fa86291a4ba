"""Spend by day, agent and model, and what caching brings in."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from finops.periods import Period, trailing_days
from finops.reports import AgentDay, AgentSpend, CacheStep, Filters, ModelSpend, Stated
from finops.roi import CacheMoney
from query_api.answers import ALLOCATION, CACHE_IMPACT, MODEL_ALLOCATION, ROI_STATS, TREND
from query_api.auth import within
from query_api.exchange import Answer, Ask, costs_told
from query_api.parameters import filters_of, period_of


class CostReports(Protocol):
    """What is asked of the ledger."""

    async def trends(self, period: Period, filters: Filters) -> Stated[list[AgentDay]]: ...
    async def allocations(self, period: Period, filters: Filters) -> Stated[list[AgentSpend]]: ...
    async def models(self, period: Period, filters: Filters) -> Stated[list[ModelSpend]]: ...
    async def cache_impact(self, period: Period, filters: Filters, *, hourly: bool) -> Stated[list[CacheStep]]: ...
    async def cache_money(self, start: datetime, end: datetime, filters: Filters) -> Stated[CacheMoney]: ...
    async def started_at(self) -> datetime | None: ...


class RoiStats(NamedTuple):
    """Money of caching, and since when."""

    money: CacheMoney
    since: datetime


class Costs:
    """Endpoints over the rollups."""

    def __init__(self, reports: CostReports, started_at: Callable[[], datetime]) -> None:
        self._reports = reports
        self._started_at = started_at

    async def trends(self, ask: Ask) -> Answer:
        """By day and agent."""
        stated = await self._reports.trends(period_of(ask.values, ask.now), _filters(ask))
        return costs_told(TREND.render_all(stated.answer), stated)

    async def allocations(self, ask: Ask) -> Answer:
        """By agent."""
        stated = await self._reports.allocations(period_of(ask.values, ask.now), _filters(ask))
        return costs_told(ALLOCATION.render_all(stated.answer), stated)

    async def by_model(self, ask: Ask) -> Answer:
        """By provider and model."""
        stated = await self._reports.models(period_of(ask.values, ask.now), _filters(ask))
        return costs_told(MODEL_ALLOCATION.render_all(stated.answer), stated)

    async def cache_impact(self, ask: Ask) -> Answer:
        """By step of time."""
        period = period_of(ask.values, ask.now)
        stated = await self._reports.cache_impact(period, _filters(ask), hourly=ask.values["step"] == "hour")
        return costs_told(CACHE_IMPACT.render_all(stated.answer), stated)

    async def roi_stats(self, ask: Ask) -> Answer:
        """Since the application last started, or over trailing days."""
        days = ask.values["days"]
        if days is not None:
            since = trailing_days(days, ask.values["tz"], ask.now).start
        else:
            since = await self._reports.started_at() or self._started_at()
        stated = await self._reports.cache_money(since, ask.now + timedelta(days=1), _filters(ask))
        return costs_told(ROI_STATS.render(RoiStats(stated.answer, since)), stated)


def _filters(ask: Ask) -> Filters:
    return within(ask.grant, filters_of(ask.values))

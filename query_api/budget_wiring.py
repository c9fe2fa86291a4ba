"""Budgets over the real ledger: what decides, what is served, what the judge does; a part of ``__main__``."""

import time
from datetime import timedelta
from uuid import uuid4

from ledger.budget_reports import BudgetReports
from ledger.budget_watch import BudgetWatch
from ledger.budgets import BudgetStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reports import Reports
from query_api.budget_desk import BudgetDesk
from query_api.budget_gauges import BudgetGauges
from query_api.budget_routes import BudgetHandlers
from query_api.endpoints.budgets import BudgetEndpoints
from query_api.endpoints.decisions import DecisionEndpoint
from query_api.endpoints.forecast import ForecastEndpoint
from query_api.judging import JudgePass
from query_api.remembered import Freshness
from query_api.settings import Settings


def budget_handlers(settings: Settings, connections: Pool, deciding: Pool, rates: RateStore) -> BudgetHandlers:
    """The endpoints about budgets, and their gauges, over one memory of what was read."""
    seconds = settings.budget_fresh_ms / 1000, settings.budget_stale_ms / 1000
    freshness = Freshness(*seconds, settings.budget_remembered_max)
    desk = BudgetDesk(BudgetReports(connections, deciding, rates), freshness, time.monotonic)
    return BudgetHandlers(
        budgets=BudgetEndpoints(BudgetStore(connections), desk, settings.budgets_max, uuid4),
        decisions=DecisionEndpoint(desk),
        forecast=ForecastEndpoint(Reports(connections, settings.day_zones_max)),
        gauges=BudgetGauges(desk, settings.budget_series_max),
    )


def budget_watch(settings: Settings, connections: Pool) -> JudgePass:
    """What the judge does about budgets."""
    return BudgetWatch(connections, timedelta(milliseconds=settings.budget_every_ms))

"""Every path of the API in one table: method, path, who may ask, what may be asked, what is answered."""

from typing import NamedTuple

from finops.access import Scope
from query_api.alert_routes import AlertHandlers, alert_rows
from query_api.answers import (
    ALLOCATION,
    CACHE_IMPACT,
    MODEL_ALLOCATION,
    ROI_STATS,
    TREND,
)
from query_api.budget_routes import BudgetHandlers, budget_rows
from query_api.burn_routes import BurnHandlers, burn_rows
from query_api.cost_answers import COST_PAGE
from query_api.drill_down_answers import COVERAGE, SESSION, TRACE
from query_api.endpoints.costs import Costs
from query_api.endpoints.documents import PAGE, PAGE_FILES, json_document, page_file
from query_api.endpoints.drill_down import DrillDownEndpoints
from query_api.endpoints.exports import ExportEndpoints
from query_api.endpoints.general_costs import GeneralCosts
from query_api.endpoints.health import Health
from query_api.endpoints.overview import BY, OVERVIEW, OverviewEndpoint
from query_api.endpoints.prometheus import Prometheus
from query_api.erasure_routes import PrivacyHandlers, privacy_rows
from query_api.exchange import Endpoint, Open
from query_api.export_routes import export_rows
from query_api.exposition import PLAIN
from query_api.openapi import document
from query_api.paging import LIMIT
from query_api.parameters import (
    CURSOR_TEXT,
    DAYS_OR_START,
    FAMILIES,
    FILTERS,
    GROUP_BY,
    ORDER,
    ORG,
    PAGE_STATE,
    PERIOD,
    STEP,
    STEP_OR_NONE,
    WINDOW,
    ZONE,
    Parameter,
)
from query_api.rate_routes import RateHandlers, rate_rows

PREFIX = "/api/v1/finops"
READ, OPEN = Scope.READ, Open.TO_ALL


class Handlers(NamedTuple):
    """The endpoints, each wired to its own."""

    costs: Costs
    general: GeneralCosts
    overview: OverviewEndpoint
    burn: BurnHandlers
    exports: ExportEndpoints
    drill_down: DrillDownEndpoints
    rates: RateHandlers
    alerts: AlertHandlers
    budgets: BudgetHandlers
    privacy: PrivacyHandlers
    health: Health
    prometheus: Prometheus
    otlp_grpc: str
    """Where agents send, for the page to name."""


def table(to: Handlers, version: str) -> list[Endpoint]:
    """The whole table; the OpenAPI document describes all of it, itself included."""
    rows = [
        *_costs(to),
        *burn_rows(PREFIX, to.burn),
        *export_rows(PREFIX, to.exports),
        *rate_rows(PREFIX, to.rates),
        *alert_rows(PREFIX, to.alerts),
        *budget_rows(PREFIX, to.budgets),
        *privacy_rows(PREFIX, to.privacy),
        *_actuator(to),
        *_page(to.otlp_grpc),
    ]
    paths = ("/openapi.json", f"{PREFIX}/openapi.json")
    placeholders = [Endpoint("GET", path, READ, json_document({}).serve, "This document") for path in paths]
    described = json_document(document([*rows, *placeholders], version))
    return [*rows, *(placeholder._replace(handle=described.serve) for placeholder in placeholders)]


def _costs(to: Handlers) -> list[Endpoint]:
    costs, down = to.costs, to.drill_down
    days, arrived = (*PERIOD, *FILTERS), (*PERIOD, ORG)
    roi = (DAYS_OR_START, ZONE, *FILTERS)
    impact = (*PERIOD, STEP, *FILTERS)
    by_model = f"{PREFIX}/allocations/by-model"
    session, trace = f"{PREFIX}/sessions/{{id:text}}", f"{PREFIX}/traces/{{id:text}}"
    asked = (GROUP_BY, WINDOW, STEP_OR_NONE, ZONE, ORDER, LIMIT, CURSOR_TEXT, *FILTERS)
    return [
        Endpoint("GET", f"{PREFIX}/costs", READ, to.general.costs, "Spend by any grouping", asked, COST_PAGE),
        Endpoint(
            "GET", f"{PREFIX}/overview", READ, to.overview.overview, "Spend at first sight", (*days, BY), OVERVIEW
        ),
        Endpoint("GET", f"{PREFIX}/trends", READ, costs.trends, "Spend by day and agent", days, TREND, True),
        Endpoint("GET", f"{PREFIX}/allocations", READ, costs.allocations, "Spend by agent", days, ALLOCATION, True),
        Endpoint("GET", by_model, READ, costs.by_model, "Spend by model", days, MODEL_ALLOCATION, True),
        Endpoint("GET", f"{PREFIX}/roi-stats", READ, costs.roi_stats, "Return on caching", roi, ROI_STATS),
        Endpoint(
            "GET", f"{PREFIX}/cache-impact", READ, costs.cache_impact, "Caching by time", impact, CACHE_IMPACT, True
        ),
        Endpoint("GET", session, READ, down.session, "One session, call by call", (ORG,), SESSION),
        Endpoint("GET", trace, READ, down.trace, "One trace, call by call", (ORG,), TRACE),
        Endpoint("GET", f"{PREFIX}/coverage", READ, down.coverage, "What became of every span", arrived, COVERAGE),
    ]


def _actuator(to: Handlers) -> list[Endpoint]:
    health, root = to.health, "/actuator/health"
    scrape = "/actuator/prometheus"
    return [
        Endpoint("GET", root, OPEN, health.overall, "Health of everything"),
        Endpoint("GET", f"{root}/liveness", OPEN, health.liveness, "This process runs"),
        Endpoint("GET", f"{root}/readiness", OPEN, health.readiness, "This process can answer"),
        Endpoint("GET", f"{root}/{{component}}", OPEN, health.component, "Health of one component"),
        Endpoint("GET", scrape, Scope.METRICS, to.prometheus.scrape, "Metrics", (FAMILIES,), media_type=PLAIN),
    ]


def _page(otlp_grpc: str) -> list[Endpoint]:
    def row(name: str, path: str, state: tuple[Parameter, ...] = ()) -> Endpoint:
        serve, media_type = page_file(name, otlp_grpc).serve, PAGE_FILES[name]
        return Endpoint("GET", path, OPEN, serve, "The web page", state, media_type=media_type)

    parts = [row(name, f"/page/{name}") for name in PAGE_FILES if name != PAGE]
    return [row(PAGE, "/", PAGE_STATE), *parts]

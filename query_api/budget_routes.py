"""The paths about budgets and what is still to be spent."""

from typing import NamedTuple

from finops.access import Scope
from query_api import budget_bodies
from query_api.budget_answers import BUDGET, BUDGETS, DECISION
from query_api.budget_gauges import BudgetGauges
from query_api.endpoints import decisions
from query_api.endpoints.budgets import BudgetEndpoints
from query_api.endpoints.decisions import DecisionEndpoint
from query_api.endpoints.forecast import FORECAST, ForecastEndpoint
from query_api.exchange import Endpoint
from query_api.paging import CURSOR, LIMIT
from query_api.parameters import FILTERS, ZONE


class BudgetHandlers(NamedTuple):
    """The endpoints of these paths."""

    budgets: BudgetEndpoints
    decisions: DecisionEndpoint
    forecast: ForecastEndpoint
    gauges: BudgetGauges


def budget_rows(prefix: str, to: BudgetHandlers) -> list[Endpoint]:
    """Their rows of the table. The decision comes first: its path would fit that of one budget, too."""
    path, read, write = f"{prefix}/budgets", Scope.READ, Scope.BUDGETS
    one, body, decided = f"{path}/{{id:text}}", budget_bodies.BODY, decisions.BODY
    budgets, decide = to.budgets, to.decisions.decide
    decision = Endpoint(
        "POST",
        f"{path}/decision",
        Scope.DECIDE,
        decide,
        "May this call be made",
        (),
        DECISION,
        body=decided,
        hasty=True,
    )
    return [
        decision,
        Endpoint("GET", path, read, budgets.page, "Every budget and where it stands", (LIMIT, CURSOR), BUDGETS),
        Endpoint("POST", path, write, budgets.post, "State a budget", (), BUDGET, body=body, tagged=True),
        Endpoint("GET", one, read, budgets.one, "One budget, member by member", (), BUDGET, tagged=True),
        Endpoint("PUT", one, write, budgets.put, "State a budget anew", (), BUDGET, body=body, tagged=True),
        Endpoint("DELETE", one, write, budgets.delete, "Remove a budget", tagged=True),
        Endpoint(
            "GET", f"{prefix}/forecast", read, to.forecast.month, "The rest of the month", (ZONE, *FILTERS), FORECAST
        ),
    ]

"""The paths about who burns how fast, what was abnormal, and what is normal."""

from typing import NamedTuple

from finops.access import Scope
from query_api.burn_answers import ANOMALIES, ANOMALY, BASELINE, BURN_RATE, SUGGESTION
from query_api.burn_metrics import BurnMetrics
from query_api.endpoints import baselines
from query_api.endpoints.baseline_suggestions import SuggestionEndpoints
from query_api.endpoints.baselines import BaselineEndpoints
from query_api.endpoints.burning import Burning
from query_api.exchange import Endpoint
from query_api.paging import BURN_CURSOR, BURN_LIMIT, CURSOR, LIMIT
from query_api.parameters import AGENT, FILTERS, ONE_ORG, OPEN_OR_CLOSED, ORG, SESSION


class BurnHandlers(NamedTuple):
    """The endpoints of these paths."""

    burning: Burning
    baselines: BaselineEndpoints
    suggestions: SuggestionEndpoints
    gauges: BurnMetrics


def burn_rows(prefix: str, to: BurnHandlers) -> list[Endpoint]:
    """Their rows of the table."""
    rates, active, past = f"{prefix}/burn-rates/active", f"{prefix}/anomalies/active", f"{prefix}/anomalies"
    every, one = f"{prefix}/baselines", f"{prefix}/baselines/{{agent_id:text}}"
    read, write, body, burning = Scope.READ, Scope.BASELINES, baselines.BODY, to.burning
    fastest, history = (*FILTERS, BURN_LIMIT, BURN_CURSOR), (ORG, AGENT, SESSION, OPEN_OR_CLOSED, LIMIT, CURSOR)
    return [
        Endpoint("GET", rates, read, burning.burn_rates, "How fast sessions spend now", fastest, BURN_RATE, True),
        Endpoint("GET", active, read, burning.anomalies, "Sessions that spend too fast", FILTERS, ANOMALY, True),
        Endpoint("GET", past, read, burning.history, "Anomalies, open and closed", history, ANOMALIES),
        Endpoint("GET", every, read, to.baselines.all, "Every baseline", (ORG, AGENT), BASELINE, True),
        Endpoint("GET", f"{every}/suggestions", read, to.suggestions.all, "Suggested", (ORG, AGENT), SUGGESTION, True),
        Endpoint(
            "PUT", one, write, to.baselines.put, "Put an agent's baseline", (ONE_ORG,), BASELINE, body=body, tagged=True
        ),
        Endpoint("DELETE", one, write, to.baselines.delete, "Remove an agent's baseline", (ONE_ORG,), tagged=True),
    ]

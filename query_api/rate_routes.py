"""The paths about what tokens cost: rates, deployments, history priced again, and the trail of all changes."""

from typing import NamedTuple

from finops.access import Scope
from query_api.answers import VALUATION_RATE
from query_api.endpoints import deployments, repricing, valuation_rates
from query_api.endpoints.audit import AuditEndpoints
from query_api.endpoints.deployments import DeploymentEndpoints
from query_api.endpoints.repricing import RepriceEndpoints
from query_api.endpoints.valuation_rates import ValuationRates
from query_api.exchange import Endpoint
from query_api.paging import CURSOR, LIMIT
from query_api.parameters import IN_USE, MODEL, ONE_ORG, ORG, PROVIDER, SOURCE
from query_api.rate_answers import (
    AUDIT,
    DEPLOYMENT,
    RATE_HISTORY,
    REPRICE,
    REPRICE_RUN,
    STORED_DEPLOYMENT,
    STORED_RATE,
)

_ONE_MODEL = MODEL._replace(repeatable=False, meaning="The model whose rate ends")
_ONE_PROVIDER = PROVIDER._replace(repeatable=False, meaning="As it was put; left out: the rate for every provider")
_NAME = MODEL._replace(name="deployment", repeatable=False, meaning="The name as senders use it")
_REASON = MODEL._replace(name="reason", repeatable=False, meaning="Kept with the change")
_ACTION = MODEL._replace(name="action", meaning="Only these actions, such as rate.put")


class RateHandlers(NamedTuple):
    """The endpoints of these paths."""

    rates: ValuationRates
    deployments: DeploymentEndpoints
    repricing: RepriceEndpoints
    audit: AuditEndpoints


def rate_rows(prefix: str, to: RateHandlers) -> list[Endpoint]:
    """Their rows of the table."""
    path, put = f"{prefix}/valuation-rates", to.rates.put
    asked, past = (MODEL, PROVIDER, SOURCE, IN_USE), (MODEL, PROVIDER, ORG, LIMIT, CURSOR)
    ended = (_ONE_MODEL, _ONE_PROVIDER, ONE_ORG, _REASON)
    read, write, body = Scope.READ, Scope.RATES, valuation_rates.BODY
    return [
        Endpoint("GET", path, read, to.rates.effective, "The rates that hold now", asked, VALUATION_RATE, True),
        Endpoint("PUT", path, write, put, "Put a model's rates", (), STORED_RATE, body=body, tagged=True),
        Endpoint("DELETE", path, write, to.rates.end, "End a model's rates now", ended, tagged=True),
        Endpoint("GET", f"{path}/history", read, to.rates.history, "Every version of the rates", past, RATE_HISTORY),
        *_repricing(f"{path}/reprice", to.repricing),
        *_deployments(f"{prefix}/deployments", to.deployments),
        Endpoint(
            "GET", f"{prefix}/audit", read, to.audit.page, "Who changed what", (ORG, _ACTION, LIMIT, CURSOR), AUDIT
        ),
    ]


def _repricing(path: str, to: RepriceEndpoints) -> list[Endpoint]:
    summary, body = "Preview or apply other rates to history", repricing.BODY
    return [
        Endpoint("GET", path, Scope.READ, to.runs, "Runs, the newest first", (), REPRICE_RUN, True),
        Endpoint("POST", path, Scope.RATES, to.reprice, summary, (), REPRICE, body=body),
    ]


def _deployments(path: str, to: DeploymentEndpoints) -> list[Endpoint]:
    write, body, one = Scope.RATES, deployments.BODY, (_NAME, _ONE_PROVIDER)
    return [
        Endpoint("GET", path, Scope.READ, to.all, "Models behind names of your own", (), DEPLOYMENT, True),
        Endpoint(
            "PUT",
            path,
            write,
            to.put,
            "Name the model behind a name",
            (),
            STORED_DEPLOYMENT,
            body=body,
            unbound=True,
            tagged=True,
        ),
        Endpoint("DELETE", path, write, to.delete, "Forget a name", one, unbound=True, tagged=True),
    ]

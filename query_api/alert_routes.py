"""The paths about alerts: what fired, who is told, and when nobody is."""

from typing import NamedTuple

from finops.access import Scope
from query_api.alert_answers import ALERT, ALERT_DESTINATION, ALERT_RETRY, ALERT_SILENCE, ALERT_TEST, ALERTS
from query_api.endpoints import alert_destination_body
from query_api.endpoints.alert_destinations import AlertDestinationEndpoints
from query_api.endpoints.alerts import SILENCE_BODY, AlertEndpoints
from query_api.exchange import Endpoint
from query_api.paging import CURSOR, LIMIT
from query_api.parameters import AGENT, ORG, Parameter, one_of
from query_api.shapes import Schema

_KIND = ORG._replace(name="kind", meaning="Only these kinds, such as anomaly or budget")
_SEVERITY = ORG._replace(name="severity", meaning="Only these severities")
_STATES = ("firing", "resolved")
_STATE_SCHEMA: Schema = {"type": "string", "enum": list(_STATES)}
_STATE = Parameter("state", one_of(*_STATES), _STATE_SCHEMA, "Only alerts that fire, or that are over")


class AlertHandlers(NamedTuple):
    """The endpoints of these paths."""

    alerts: AlertEndpoints
    destinations: AlertDestinationEndpoints


def alert_rows(prefix: str, to: AlertHandlers) -> list[Endpoint]:
    """Their rows of the table."""
    path, silences, alerts = f"{prefix}/alerts", f"{prefix}/alert-silences", to.alerts
    read, write = Scope.READ, Scope.ALERTS
    asked = (_STATE, _KIND, _SEVERITY, ORG, AGENT, LIMIT, CURSOR)
    return [
        Endpoint("GET", path, read, alerts.page, "What fired and who was told", asked, ALERTS),
        Endpoint("GET", f"{path}/{{alert_id}}", read, alerts.one, "One alert and all that was told of it", (), ALERT),
        *_destinations(f"{prefix}/alert-destinations", to.destinations),
        Endpoint("GET", silences, read, alerts.silences, "Silences that are not over", (ORG,), ALERT_SILENCE, True),
        Endpoint("POST", silences, write, alerts.silence, "Silence alerts", (), ALERT_SILENCE, body=SILENCE_BODY),
        Endpoint("DELETE", f"{silences}/{{silence_id}}", write, alerts.end_silence, "End a silence now"),
    ]


def _destinations(path: str, to: AlertDestinationEndpoints) -> list[Endpoint]:
    read, write, one = Scope.READ, Scope.ALERTS, f"{path}/{{destination_id}}"
    new, body = alert_destination_body.NEW_BODY, alert_destination_body.BODY
    return [
        Endpoint("GET", path, read, to.all, "Who is told of alerts", (ORG,), ALERT_DESTINATION, True),
        Endpoint(
            "POST", path, write, to.create, "Tell somebody of alerts", (), ALERT_DESTINATION, body=new, tagged=True
        ),
        Endpoint("GET", one, read, to.one, "One destination", (), ALERT_DESTINATION, tagged=True),
        Endpoint("PUT", one, write, to.replace, "Change a destination", (), ALERT_DESTINATION, body=body, tagged=True),
        Endpoint("DELETE", one, write, to.delete, "Tell a destination nothing more", tagged=True),
        Endpoint("POST", f"{one}/test", write, to.test, "Send a test alert now", (), ALERT_TEST),
        Endpoint("POST", f"{one}/retry", write, to.retry, "Try what was given up again", (), ALERT_RETRY),
    ]

"""The paths about what is kept of people: identifiers erased on request, and names that are kept for some days."""

from typing import NamedTuple

from finops.access import Scope
from query_api.endpoints import erasures, retention
from query_api.endpoints.erasures import ErasureEndpoints
from query_api.endpoints.retention import RetentionEndpoints
from query_api.erasure_answers import ERASURE, ERASURE_ANSWER, ERASURES, RETENTION
from query_api.exchange import Endpoint
from query_api.paging import CURSOR, LIMIT
from query_api.parameters import ONE_ORG, ORG
from query_api.privacy_gauges import PrivacyGauges

ORG_OF_RULE = ONE_ORG._replace(meaning="The organisation; left out: the token's")


class PrivacyHandlers(NamedTuple):
    """The endpoints of these paths."""

    erasures: ErasureEndpoints
    retention: RetentionEndpoints
    gauges: PrivacyGauges


def privacy_rows(prefix: str, to: PrivacyHandlers) -> list[Endpoint]:
    """Their rows of the table."""
    path, read, write, body = f"{prefix}/erasures", Scope.READ, Scope.PRIVACY, erasures.BODY
    summary = "Preview or apply the erasure of an identifier"
    return [
        Endpoint("GET", path, read, to.erasures.page, "Erasures, the newest first", (ORG, LIMIT, CURSOR), ERASURES),
        Endpoint("POST", path, write, to.erasures.post, summary, (), ERASURE_ANSWER, body=body),
        Endpoint("GET", f"{path}/{{id:text}}", read, to.erasures.one, "One erasure", (), ERASURE),
        *_retention(f"{prefix}/retention", to.retention),
    ]


def _retention(path: str, to: RetentionEndpoints) -> list[Endpoint]:
    write, body, one = Scope.PRIVACY, retention.BODY, (ORG_OF_RULE,)
    return [
        Endpoint("GET", path, Scope.READ, to.all, "For how long names are kept", (ORG,), RETENTION, True),
        Endpoint("PUT", path, write, to.put, "State for how long", (), RETENTION, body=body, tagged=True),
        Endpoint("DELETE", path, write, to.delete, "Keep names as long as their rows again", one, tagged=True),
    ]

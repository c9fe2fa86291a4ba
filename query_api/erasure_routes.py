"""The paths about what is kept of people: identifiers erased on request."""

from typing import NamedTuple

from finops.access import Scope
from query_api.endpoints import erasures
from query_api.endpoints.erasures import ErasureEndpoints
from query_api.erasure_answers import ERASURE, ERASURE_ANSWER, ERASURES
from query_api.exchange import Endpoint
from query_api.paging import CURSOR, LIMIT
from query_api.parameters import ORG


class PrivacyHandlers(NamedTuple):
    """The endpoints of these paths."""

    erasures: ErasureEndpoints


def privacy_rows(prefix: str, to: PrivacyHandlers) -> list[Endpoint]:
    """Their rows of the table."""
    path, read, write, body = f"{prefix}/erasures", Scope.READ, Scope.PRIVACY, erasures.BODY
    summary = "Preview or apply the erasure of an identifier"
    return [
        Endpoint("GET", path, read, to.erasures.page, "Erasures, the newest first", (ORG, LIMIT, CURSOR), ERASURES),
        Endpoint("POST", path, write, to.erasures.post, summary, (), ERASURE_ANSWER, body=body),
        Endpoint("GET", f"{path}/{{id:text}}", read, to.erasures.one, "One erasure", (), ERASURE),
    ]

"""Nobody gets in where they do not belong: every route that is served, asked by every kind of caller.

Routes are taken from the application as its process wires it, so a new one is asked here the day it is born.
"""

from collections.abc import Callable
from datetime import UTC, datetime

import httpx2
import pytest
from access_world import (
    NOBODY,
    OTHER,
    OWN,
    SOMEBODY,
    Caller,
    app_over,
    body_of,
    client,
    endpoints,
    fill,
    guarded,
    headers,
    make_tokens,
    names_org,
    path_of,
    query_of,
    timeless,
)
from starlette.applications import Starlette

from finops.access import Scope
from ledger.pool import Pool
from ledger.tokens import TokenStore
from query_api.application import application
from query_api.auth import Gate
from query_api.endpoints.documents import PAGE_FILES
from query_api.exchange import Endpoint, Open

OPEN = {
    "/",
    "/actuator/health",
    "/actuator/health/liveness",
    "/actuator/health/readiness",
    "/actuator/health/{component}",
    *(f"/page/{name}" for name in PAGE_FILES if name != "index.html"),
}
"""What may be had without a token: it tells nothing of anybody's spend."""


@pytest.fixture
async def app(ledger_pool: Pool, api_pool: Pool) -> Starlette:
    await fill(ledger_pool)
    await make_tokens(ledger_pool)
    return app_over(api_pool)


async def asked(api: httpx2.AsyncClient, endpoint: Endpoint, caller: Caller, org: str | None) -> httpx2.Response:
    """The route asked by a caller, about an organisation where it can be named."""
    scope = endpoint.scope if isinstance(endpoint.scope, Scope) else Scope.READ
    return await api.request(
        endpoint.method,
        path_of(endpoint, org or OWN),
        params=query_of(endpoint, org),
        headers=headers(caller, scope),
        json=body_of(endpoint, org),
    )


def named(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


async def test_every_route_says_who_may_ask_and_no_other_is_open(app: Starlette) -> None:
    table = endpoints(app)
    assert all(isinstance(endpoint.scope, Scope | Open) for endpoint in table)
    assert {endpoint.path for endpoint in table if isinstance(endpoint.scope, Open)} == OPEN


async def test_every_route_lets_in_whom_it_should_and_nobody_else(
    app: Starlette, record_property: Callable[[str, object], None], engine_name: str
) -> None:
    wrong: list[str] = []
    cells = 0
    async with client(app) as api:
        for caller in (*NOBODY, *SOMEBODY):
            for endpoint in guarded(app):
                for org in (None, OWN, OTHER) if names_org(endpoint) else (None,):
                    answer = await asked(api, endpoint, caller, org)
                    cells += 1
                    if not _right(endpoint, caller, org, answer):
                        wrong.append(f"{named(endpoint)} by {caller.name}, about {org}: {answer.status_code}")
    record_property("counted", f"access matrix on {engine_name}: {cells} cells, {len(guarded(app))} guarded routes")
    assert not wrong, "\n".join(wrong)


def _right(endpoint: Endpoint, caller: Caller, org: str | None, answer: httpx2.Response) -> bool:
    bound = caller.org
    if caller.status is not None:
        challenged = caller.status != 401 or "www-authenticate" in answer.headers
        return answer.status_code == caller.status and challenged and OWN not in answer.text.replace(f"/{OWN}-", "")
    if bound is not None and (endpoint.unbound or org not in (None, bound)):
        return answer.status_code == 403
    if endpoint.method == "GET" and "{" not in endpoint.path:
        return answer.status_code == 200
    return answer.status_code not in (401, 403) and answer.status_code < 500


async def test_no_answer_to_one_organisation_tells_anything_of_another(app: Starlette) -> None:
    leaks: list[str] = []
    async with client(app) as api:
        for own, caller in ((OWN, SOMEBODY[0]), (OTHER, SOMEBODY[1])):
            other = OTHER if own == OWN else OWN
            for endpoint in guarded(app):
                if endpoint.unbound:
                    continue
                mine = await asked(api, endpoint, caller, own)
                if other in mine.text or other in str(mine.headers):
                    leaks.append(f"{named(endpoint)} tells {own} of {other}: {mine.text[:300]}")
        assert not leaks, "\n".join(leaks)


async def test_another_organisations_session_and_one_that_never_was_are_answered_alike(app: Starlette) -> None:
    async with client(app) as api:
        for endpoint in guarded(app):
            if endpoint.method != "GET" or "{" not in endpoint.path:
                continue
            path = path_of(endpoint, OTHER)
            never = path.replace(OTHER, "nobodys").replace("0b", "0c")
            scope = endpoint.scope
            assert isinstance(scope, Scope)
            told = [await api.get(at, headers=headers(SOMEBODY[0], scope)) for at in (path, never)]
            assert {answer.status_code for answer in told} == {404}, named(endpoint)
            assert told[0].text.replace(path, "") == told[1].text.replace(never, ""), named(endpoint)


async def test_what_a_bound_token_reads_is_what_a_filter_by_its_organisation_finds(app: Starlette) -> None:
    compared = 0
    async with client(app) as api:
        for endpoint in guarded(app):
            if endpoint.method != "GET" or not any(parameter.name == "orgId" for parameter in endpoint.parameters):
                continue
            bound = await asked(api, endpoint, SOMEBODY[0], None)
            filtered = await asked(api, endpoint, SOMEBODY[3], OWN)
            assert (bound.status_code, timeless(bound)) == (filtered.status_code, timeless(filtered)), named(endpoint)
            compared += 1
    assert compared >= 10


async def test_a_row_without_a_scope_is_never_served(app: Starlette) -> None:
    row = guarded(app)[0]._replace(scope=None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="does not say who may ask"):
        application([row], Gate(TokenStore(None), lambda: 0.0), lambda: datetime.now(UTC))  # type: ignore[arg-type]

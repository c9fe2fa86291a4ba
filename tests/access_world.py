"""Two organisations in one ledger, every kind of caller, and one request for every route there is."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import httpx2
from alert_world import destination, fired, runaway
from budget_world import a_budget
from repricing_world import a_ledger, call, statement
from starlette.applications import Starlette
from starlette.routing import Route

from finops.access import Scope, token_digest
from finops.alerts import Silence
from finops.budgets import BudgetScope
from finops.spans import Dimensions, Rejected, SpanRecord
from ledger.alert_silences import AlertSilences
from ledger.baselines import BaselineStore
from ledger.budgets import BudgetStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.tokens import register, revoke
from ledger.unpriced import UnpricedCalls
from query_api.__main__ import build, judging_of, now
from query_api.alert_wiring import courier_of
from query_api.application import PathDoor
from query_api.endpoints.health import Life
from query_api.exchange import Endpoint, Open
from query_api.judge_report import JudgeReport
from query_api.pool_wiring import Pools
from query_api.settings import read_settings
from query_api.unpriced import Sweeper

OWN, OTHER = "okapi", "zebra"
"""Everything an organisation is called by holds its name, so that a leak can be seen."""
TRACES = {OWN: "0a" * 16, OTHER: "0b" * 16}
BUDGETS = {OWN: str(UUID(int=0xA)), OTHER: str(UUID(int=0xB))}
SETTINGS = {
    "FINOPS_DATABASE_URL": "postgresql://nowhere/finops",
    "FINOPS_COLLECTOR_URL": "off",
    "FINOPS_API_REQUESTS_PER_SECOND": "0",
}


class Caller(NamedTuple):
    """Somebody who asks."""

    name: str
    status: int | None = None
    """What they are always answered; None: they are let in."""
    org: str | None = None
    scoped: bool = True
    """Has a token of its own for each scope; otherwise one token for all routes."""


NOBODY = (
    Caller("no token", 401, scoped=False),
    Caller("not a bearer", 401, scoped=False),
    Caller("unknown token", 401, scoped=False),
    Caller("the hash of a token", 401, scoped=False),
    Caller("expired", 401),
    Caller("revoked", 401),
    Caller("every other scope", 403),
    Caller("ingest only", 403, scoped=False),
)
SOMEBODY = (
    Caller("of its own organisation", org=OWN),
    Caller("of the other organisation", org=OTHER),
    Caller("of every organisation"),
    Caller("admin", scoped=False),
    Caller("admin of its own organisation", org=OWN, scoped=False),
)
ADMIN, OWN_ADMIN = SOMEBODY[3], SOMEBODY[4]


def secret(caller: Caller, scope: Scope) -> str:
    """The token of a caller for a scope."""
    words = re.sub(r"\W", "-", f"{caller.name} {scope if caller.scoped else ''}").strip("-")
    return f"finops_{words:x<43}"


def headers(caller: Caller, scope: Scope) -> dict[str, str]:
    """What the caller sends for a route of this scope."""
    if caller.name == "no token":
        return {}
    if caller.name == "not a bearer":
        return {"Authorization": f"Basic {secret(ADMIN, scope)}"}
    if caller.name == "the hash of a token":
        return {"Authorization": f"Bearer {token_digest(secret(ADMIN, scope)).hex()}"}
    return {"Authorization": f"Bearer {secret(caller, scope)}"}


async def make_tokens(pool: Pool) -> None:
    """Every caller's tokens."""
    async with pool.connection() as connection:

        async def token(caller: Caller, scope: Scope, scopes: set[Scope], **more: Any) -> None:
            given: Any = {"name": f"{caller.name} {scope}", "secret": secret(caller, scope), "org_id": caller.org}
            await register(connection, scopes=scopes, **given, **more)

        long_ago = datetime.now(UTC) - timedelta(seconds=1)
        for scope in Scope:
            for caller in NOBODY:
                if caller.name == "expired":
                    await token(caller, scope, {scope}, expires_at=long_ago)
                elif caller.name == "revoked":
                    await token(caller, scope, {scope})
                    await revoke(connection, f"{caller.name} {scope}")
                elif caller.name == "every other scope":
                    implied = {Scope.READ} if scope in (Scope.METRICS, Scope.DECIDE) else set()
                    await token(caller, scope, set(Scope) - {scope, Scope.ADMIN} - implied)
            for caller in SOMEBODY:
                if caller.scoped:
                    await token(caller, scope, {scope})
        await token(NOBODY[-1], Scope.INGEST, {Scope.INGEST})
        await token(ADMIN, Scope.ADMIN, {Scope.ADMIN})
        await token(OWN_ADMIN, Scope.ADMIN, {Scope.ADMIN})


def calls_of(org: str, number: int, now_ns: int) -> Iterator[SpanRecord]:
    """A priced call, one that nobody has a price for and one whose cost was stated, of one trace and one session."""
    said = Dimensions(org=org, agent=f"{org}-agent", session=f"{org}-session", team=f"{org}-team", user=f"{org}-user")
    named: dict[str, Any] = {
        "own": said,
        "tenant": org,
        "trace_id": bytes.fromhex(TRACES[org]),
        "service": f"{org}-service",
    }
    named |= {"start_ns": now_ns - 90 * 10**9, "end_ns": now_ns - 60 * 10**9}
    yield call(number, **named)
    strange: dict[str, Any] = {"request_model": f"{org}-model", "response_model": None, "provider": f"{org}-provider"}
    yield call(number + 1, **named, **strange)
    yield call(number + 2, **named, reported_cost_pico_usd=number * 1_000_000)


async def fill(pool: Pool) -> None:
    """The same for both organisations, and nothing that is shared."""
    store, ledger, now = RateStore(), a_ledger(pool), datetime.now(UTC)
    now_ns = int(now.timestamp()) * 10**9
    for number, org in ((10, OWN), (20, OTHER)):
        rejected = [Rejected("span_too_old", f"{org}-detail", tenant=org)]
        await ledger.append(list(calls_of(org, number, now_ns)), rejected, now_ns)
        owned: Any = {"budget_id": BUDGETS[org], "name": f"{org}-budget", "updated_by": f"{org}-author"}
        await BudgetStore(pool).add(a_budget(10, scope=BudgetScope(org=(org,)), **owned), 10)
        await BaselineStore(pool).put(org, f"{org}-agent", Decimal("0.000001"), f"{org}-author")
        await alarm(pool, org, now)
        async with pool.connection() as connection:
            rate = statement("0.001", f"{org}-model", org_id=org, author=f"{org}-author", reason=f"{org}-reason")
            await store.put(connection, rate, now)


async def alarm(pool: Pool, org: str, now: datetime) -> None:
    """An alert, who is told of it, and a silence."""
    by, ends = f"{org}-author", now + timedelta(hours=1)
    told = {"org_id": org, "name": f"{org}-hook", "url": f"https://{org}.example/x", "updated_by": by}
    await destination(pool, **told, created_at=now, updated_at=now)
    await fired(pool, runaway(f"{org}-session", org=org, agent_id=f"{org}-agent", title=f"{org}-title"), now)
    await AlertSilences(pool).create(Silence(org, {"agentId": [f"{org}-agent"]}, now, ends), f"{org}-comment", by, now)


def app_over(pool: Pool) -> Starlette:
    """The query API as its process wires it."""
    rates = RateStore()
    sweeper = Sweeper(UnpricedCalls(pool, rates))
    settings = read_settings(SETTINGS)
    judge = JudgeReport(judging_of(settings, pool))
    return build(
        settings,
        Pools(pool, pool, pool, pool),
        rates,
        Life(),
        datetime.now(UTC),
        sweeper,
        judge,
        courier_of(settings, pool, now, lambda: 1.0),
    )


def endpoints(app: Starlette) -> list[Endpoint]:
    """Every method of every path that is really served, in the order in which they can be asked: readers first."""
    found: list[Endpoint] = []
    for route in app.routes:
        assert isinstance(route, Route)
        assert isinstance(route.app, PathDoor), f"{route.path} is served beside the table, past its gate"
        found += route.app.endpoints
    return sorted(found, key=lambda endpoint: (endpoint.method != "GET", endpoint.path))


def guarded(app: Starlette) -> list[Endpoint]:
    """Those that want a token."""
    return [endpoint for endpoint in endpoints(app) if not isinstance(endpoint.scope, Open)]


def client(app: Starlette) -> httpx2.AsyncClient:
    """A client of the application in this process."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://api")


SAMPLES: dict[str, Callable[[str], str]] = {
    "sessions/{id:text}": lambda org: f"{org}-session",
    "traces/{id:text}": TRACES.__getitem__,
    "budgets/{id:text}": BUDGETS.__getitem__,
}
"""What is in the ledger under an id, by the end of the path; any other path gets a name nobody has."""


def path_of(endpoint: Endpoint, org: str) -> str:
    """The path with ids of this organisation."""
    known = next((sample for end, sample in SAMPLES.items() if endpoint.path.endswith(end)), None)
    name = known(org) if known else f"{org}-agent"
    return re.sub(r"\{\w+(:\w+)?\}", name, endpoint.path)


def query_of(endpoint: Endpoint, org: str | None) -> dict[str, str]:
    """``orgId`` where the route knows it and somebody is asked about."""
    takes = any(parameter.name == "orgId" for parameter in endpoint.parameters)
    return {"orgId": org} if takes and org is not None else {}


def body_of(endpoint: Endpoint, org: str | None) -> Any:
    """The least that the route's schema takes, about an organisation where it can be named."""
    if endpoint.body is None:
        return None
    body = _least(endpoint.body, org)
    if org is not None and "orgId" in endpoint.body.get("properties", {}):  # type: ignore[operator]
        body["orgId"] = org
    return body


def timeless(answer: httpx2.Response) -> str:
    """What was answered, but for the instant up to which it holds."""
    return re.sub(r'"completeThrough":"[^"]+"', "", answer.text)


def names_org(endpoint: Endpoint) -> bool:
    """Whether a request can say which organisation it is about."""
    properties: Any = (endpoint.body or {}).get("properties", {})
    return "orgId" in properties or any(parameter.name == "orgId" for parameter in endpoint.parameters)


def _least(schema: Any, org: str | None) -> Any:
    if "default" in schema:
        return schema["default"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _least(schema["anyOf"][0], org)
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        wanted = schema.get("required") or [name for name in fields if name == "from"]
        return {name: _least(fields[name], org) for name in wanted}
    if kind == "array":
        return [_least(schema["items"], org)]
    if kind == "string":
        return "2026-11-20T00:00:00Z" if schema.get("format") == "date-time" else f"{org or 'new'}-name"
    return {"number": 0.001, "integer": 1, "boolean": False}.get(kind)

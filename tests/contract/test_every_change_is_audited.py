"""Whatever a request changes is in the audit trail by the same transaction: asked of every route that is no GET.

Routes are taken from the application as its process wires it. A new one fails here until it says below how it is asked
in earnest, and then until its change cannot be made while the trail takes no rows.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import httpx2
import pytest
from access_world import (
    ADMIN,
    BUDGETS,
    OTHER,
    OWN,
    app_over,
    client,
    endpoints,
    fill,
    headers,
    make_tokens,
)
from repricing_world import rows
from starlette.applications import Starlette

from finops.access import Scope
from ledger.audit import first_broken_link
from ledger.pool import Pool

PREFIX = "/api/v1/finops"
CHANGES_NOTHING = {f"POST {PREFIX}/budgets/decision"}
"""Asks only."""
LATER = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
SINCE = (datetime.now(UTC) - timedelta(days=2)).isoformat()
DESTINATION = {"name": "new hook", "kind": "webhook", "url": "https://8.8.8.8/x"}
"""Nothing is ever sent there."""


class Earnest(NamedTuple):
    """A request that changes something."""

    at: str
    body: Any = None
    params: dict[str, str] | None = None


class Ids(NamedTuple):
    """What is in the ledger."""

    destination: str
    silence: str


def in_earnest(ids: Ids) -> dict[str, Earnest]:
    """How every route that is no GET is asked, in an order in which all of them find something to change."""
    rates, deployments, budgets = f"{PREFIX}/valuation-rates", f"{PREFIX}/deployments", f"{PREFIX}/budgets"
    told, silences, baselines = f"{PREFIX}/alert-destinations", f"{PREFIX}/alert-silences", f"{PREFIX}/baselines"
    one, budget = f"{told}/{ids.destination}", {"name": "new", "limitUsd": 5, "period": "day"}
    rate = {"modelId": f"{OWN}-model", "inputRatePerKTokens": 0.5, "outputRatePerKTokens": 0.5}
    return {
        f"PUT {rates}": Earnest(rates, rate),
        f"POST {rates}/reprice": Earnest(f"{rates}/reprice", {"from": SINCE, "apply": True}),
        f"DELETE {rates}": Earnest(rates, params={"modelId": f"{OWN}-model"}),
        f"PUT {deployments}": Earnest(deployments, {"deployment": "prod", "modelId": "gpt-4o"}),
        f"DELETE {deployments}": Earnest(deployments, params={"deployment": "prod"}),
        f"PUT {baselines}/{{agent_id:text}}": Earnest(f"{baselines}/new", {"baselineUsdPerHour": 1}),
        f"DELETE {baselines}/{{agent_id:text}}": Earnest(f"{baselines}/new"),
        f"POST {budgets}/decision": Earnest(f"{budgets}/decision", {"orgId": OWN}),
        f"POST {budgets}": Earnest(budgets, budget),
        f"PUT {budgets}/{{id:text}}": Earnest(f"{budgets}/{BUDGETS[OWN]}", budget),
        f"DELETE {budgets}/{{id:text}}": Earnest(f"{budgets}/{BUDGETS[OTHER]}"),
        f"POST {told}": Earnest(told, DESTINATION),
        f"POST {told}/{{destination_id}}/retry": Earnest(f"{one}/retry"),
        f"POST {told}/{{destination_id}}/test": Earnest(f"{one}/test"),
        f"PUT {told}/{{destination_id}}": Earnest(one, DESTINATION | {"name": "other name", "sendResolved": False}),
        f"DELETE {told}/{{destination_id}}": Earnest(one),
        f"POST {silences}": Earnest(silences, {"matchers": {}, "endsAt": LATER}),
        f"DELETE {silences}/{{silence_id}}": Earnest(f"{silences}/{ids.silence}"),
        f"PUT {PREFIX}/retention": Earnest(f"{PREFIX}/retention", {"orgId": OWN, "identifierDays": 30}),
        f"DELETE {PREFIX}/retention": Earnest(f"{PREFIX}/retention", params={"orgId": OWN}),
        f"POST {PREFIX}/erasures": Earnest(
            f"{PREFIX}/erasures", {"orgId": OWN, "userId": f"{OWN}-user", "apply": True}
        ),
    }


@pytest.fixture
async def app(ledger_pool: Pool, api_pool: Pool) -> Starlette:
    await fill(ledger_pool)
    await make_tokens(ledger_pool)
    async with ledger_pool.connection() as connection:
        await connection.execute("update alert_deliveries set state = 'dead'")
    return app_over(api_pool)


async def everything(pool: Pool) -> dict[str, str]:
    """What every table holds, but for the trail and when tokens were used."""
    tables = await rows(
        pool,
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' "
        "and relname not in ('audit', 'audit_head', 'tokens')",
    )
    text = "select md5(coalesce(string_agg(t::text, ',' order by t::text), '')) from {} t"
    return {name: str((await rows(pool, text.format(name)))[0][0]) for (name,) in tables}


async def trail(pool: Pool) -> list[Any]:
    return await rows(pool, "select seq, actor, action from audit order by seq")


async def asked(api: httpx2.AsyncClient, method: str, earnest: Earnest) -> int:
    token = headers(ADMIN, Scope.ADMIN)
    body: dict[str, Any] = {} if earnest.body is None else {"json": earnest.body}
    return (await api.request(method, earnest.at, params=earnest.params, headers=token, **body)).status_code


async def test_no_route_changes_anything_that_the_trail_does_not_tell(app: Starlette, ledger_pool: Pool) -> None:
    destination = await rows(ledger_pool, f"select destination_id from alert_destinations where org_id = '{OWN}'")
    silence = await rows(ledger_pool, f"select silence_id from alert_silences where org_id = '{OWN}'")
    requests = in_earnest(Ids(str(destination[0][0]), str(silence[0][0])))
    served = {f"{endpoint.method} {endpoint.path}" for endpoint in endpoints(app) if endpoint.method != "GET"}
    assert served == requests.keys(), "say how each route that is no GET is asked in earnest"
    wrong: list[str] = []
    async with client(app) as api:
        for route, earnest in requests.items():
            wrong += [f"{route}: {fault}" for fault in await faults_of(api, ledger_pool, route, earnest)]
    assert not wrong, "\n".join(wrong)
    async with ledger_pool.connection() as connection:
        assert await first_broken_link(connection) is None


async def faults_of(api: httpx2.AsyncClient, pool: Pool, route: str, earnest: Earnest) -> list[str]:
    method, found = route.partition(" ")[0], []
    before, told = await everything(pool), await trail(pool)
    async with pool.connection() as connection:
        await connection.execute("alter table audit add constraint full_up check (false) not valid")
    status = await asked(api, method, earnest)
    if (route in CHANGES_NOTHING) != (status < 500):
        found.append(f"answers {status} while the trail takes no rows")
    if changed := differing(before, await everything(pool)):
        found.append(f"changes {changed} without a row of the trail")
    async with pool.connection() as connection:
        await connection.execute("alter table audit drop constraint full_up")
    before = await everything(pool)
    status = await asked(api, method, earnest)
    if status >= 300:
        found.append(f"answers {status}: this is no request in earnest")
    added, changed = (await trail(pool))[len(told) :], differing(before, await everything(pool))
    if route in CHANGES_NOTHING:
        return [*found, *([f"changes {changed}"] if changed or added else [])]
    if not changed:
        found.append("changes nothing: this is no request in earnest")
    if not added or {actor for _, actor, _ in added} != {f"{ADMIN.name} {Scope.ADMIN}"}:
        found.append(f"adds {added} to the trail")
    return found


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    return sorted(name for name in after if before.get(name) != after[name])

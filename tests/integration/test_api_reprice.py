"""Rates, repricing and the audit trail through the API, over a ledger that a collector filled."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from integration.test_api_answers import World
from repricing_world import (
    HOUSE_MODEL,
    NOW_NS,
    a_ledger,
    assert_sums_agree,
    call,
    cost_pico,
    rows,
    strange_call,
)

from finops.access import Scope
from ledger.pool import Pool
from ledger.tokens import register

PREFIX = "/api/v1/finops"
RATES, REPRICE = f"{PREFIX}/valuation-rates", f"{PREFIX}/valuation-rates/reprice"
DAY: dict[str, object] = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}


@pytest.fixture
async def api(ledger_pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    async with ledger_pool.connection() as connection:
        await register(connection, name="ada", secret="admin-token", scopes=[Scope.ADMIN])
        await register(connection, name="acme", secret="acme", scopes=[Scope.READ, Scope.RATES], org_id="acme")
        await register(connection, name="reader", secret="reader", scopes=[Scope.READ])
    async with World(ledger_pool).client("admin-token") as client:
        yield client


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def told(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return json.loads(answer.text, parse_float=str) if answer.text else None


async def put(api: httpx2.AsyncClient, model: str, usd: str, **other: object) -> Any:
    rates = f'"inputRatePerKTokens": {usd}, "outputRatePerKTokens": {usd}'
    rest = "".join(f', "{name}": {json.dumps(value)}' for name, value in other.items())
    return await told(await api.put(RATES, content=f'{{"modelId": "{model}", {rates}{rest}}}'))


async def test_a_rate_prices_the_calls_that_waited_for_it_and_says_how_many(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    silent = strange_call(4, usage=None, usage_detail=0)
    batch = [call(1), strange_call(2), strange_call(3, own=call(3, org="acme").own), silent]
    await a_ledger(ledger_pool).append(batch, [], NOW_NS)
    stored = await put(api, HOUSE_MODEL, "0.001")
    assert (stored["repricedCalls"], stored["pendingCalls"], stored["author"]) == (2, 0, "ada")
    priced = "select sum(cost_pico) from entries where provider = 'self_hosted'"
    assert await rows(ledger_pool, priced) == [((1002 + 10 + 1003 + 10) * 1_000_000,)]
    assert await rows(ledger_pool, "select sum(unpriced_calls), sum(unmetered_calls) from usage_1d") == [(1, 1)]
    await assert_sums_agree(ledger_pool)
    assert (await put(api, HOUSE_MODEL, "0.002"))["repricedCalls"] == 0


async def test_an_organisations_rate_prices_only_its_own_calls(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    batch = [strange_call(number, own=call(number, org=org).own) for number, org in enumerate(("acme", "beta"), 1)]
    await a_ledger(ledger_pool).append(batch, [], NOW_NS)
    stored = await put(api, HOUSE_MODEL, "0.001", orgId="acme")
    assert (stored["orgId"], stored["repricedCalls"]) == ("acme", 1)
    assert await rows(ledger_pool, "select org_id from entries where cost_pico > 0") == [("acme",)]


async def test_a_dated_rate_prices_only_the_calls_since(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    batch = [strange_call(1, minutes_ago=60), strange_call(2, minutes_ago=10)]
    await a_ledger(ledger_pool).append(batch, [], NOW_NS)
    stored = await put(api, HOUSE_MODEL, "0.001", effectiveFrom="2026-11-20T11:30:00Z")
    assert stored["repricedCalls"] == 1
    await assert_sums_agree(ledger_pool)


async def test_a_named_deployment_is_priced_listed_and_forgotten(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    named = call(1, request_model="Prod-Chat", response_model=None, provider="azure.ai.openai")
    await a_ledger(ledger_pool).append([named], [], NOW_NS)
    body = {"provider": "azure", "deployment": "Prod-Chat", "modelId": "gpt-4o-mini"}
    path = f"{PREFIX}/deployments"
    assert (await told(await api.put(path, json=body)))["repricedCalls"] == 1
    assert await rows(ledger_pool, "select model_id from entries where revision = 3") == [("gpt-4o-mini",)]
    listed = await told(await api.get(path))
    stated = {"provider": "azure.ai.openai", "deployment": "prod-chat", "modelId": "gpt-4o-mini"}
    assert listed == [stated | {"etag": listed[0]["etag"]}]
    query = {"provider": "azure", "deployment": "prod-CHAT"}
    assert (await api.delete(path, params=query)).status_code == 204
    assert (await api.delete(path, params=query)).status_code == 404
    assert (await api.put(path, json=body, headers=bearer("acme"))).status_code == 403


async def test_a_rate_ends_and_its_history_stays(api: httpx2.AsyncClient) -> None:
    for usd in ("0.001", "0.002", "0.003"):
        await put(api, "gpt-4o", usd, reason="contract")
    query = {"modelId": "GPT-4o", "reason": "contract over"}
    assert (await api.delete(RATES, params=query)).status_code == 204
    assert (await api.delete(RATES, params=query)).status_code == 404
    assert (await api.delete(RATES)).status_code == 400
    assert await told(await api.get(f"{RATES}?source=operator")) == []
    first = await told(await api.get(f"{RATES}/history?modelId=gpt-4o&limit=3"))
    rest = await told(await api.get(f"{RATES}/history?modelId=gpt-4o&limit=3&cursor={first['nextCursor']}"))
    versions = [*first["items"], *rest["items"]]
    assert [row["version"] for row in versions] == [4, 3, 2, 1]
    assert [row["ended"] for row in versions] == [True, False, False, False]
    assert (versions[0]["reason"], versions[1]["inputRatePerKTokens"]) == ("contract over", "0.003")
    assert rest["nextCursor"] is None


async def test_a_preview_and_what_is_applied_are_the_same_to_the_last_digit(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    await a_ledger(ledger_pool).append([call(number) for number in range(1, 8)], [], NOW_NS)
    before = await cost_pico(ledger_pool)
    await put(api, "gpt-4o-mini", "0.000151000003")
    preview = await told(await api.post(REPRICE, json=DAY))
    assert (preview["applied"], preview["calls"], preview["callsTouched"], preview["run"]) == (False, 7, 7, None)
    assert await cost_pico(ledger_pool) == before
    (group,) = preview["items"]
    assert (group["date"], group["modelId"]) == ("2026-11-20", "gpt-4o-mini")
    assert group["differenceUsd"] == preview["differenceUsd"]
    applied = await told(await api.post(REPRICE, json=DAY | {"apply": True, "reason": "invoice of November"}))
    assert applied["run"]["finishedAt"] is not None
    names = ("calls", "callsTouched", "beforeUsd", "afterUsd", "differenceUsd")
    assert [applied[name] for name in names] == [preview[name] for name in names]
    difference = int(preview["differenceUsd"].replace(".", "").lstrip("0"))
    scale = 12 - len(preview["differenceUsd"].partition(".")[2])
    assert await cost_pico(ledger_pool) - before == difference * 10**scale
    await assert_sums_agree(ledger_pool)
    again = await told(await api.post(REPRICE, json=DAY | {"apply": True}))
    assert (again["callsTouched"], again["differenceUsd"]) == (0, 0)
    same = await told(await api.post(REPRICE, json={"apply": True, "runId": applied["run"]["runId"]}))
    assert same["run"] == applied["run"]
    assert [run["callsTouched"] for run in await told(await api.get(REPRICE))] in ([0, 7], [7, 0])


async def test_other_rates_can_be_tried_and_not_applied(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append([call(1)], [], NOW_NS)
    rate = {"modelId": "gpt-4o-mini", "inputRatePerKTokens": 1, "outputRatePerKTokens": 2}
    tried = DAY | {"priceSource": {"rates": [rate]}}
    assert (await told(await api.post(REPRICE, json=tried)))["afterUsd"] == "1.021"
    refused = await told(await api.post(REPRICE, json=tried | {"apply": True}), 422)
    assert refused["errors"][0]["field"] == "priceSource"
    for source in ("current", "asKnownThen", "asBilled", {"rateVersion": 0}):
        answer = await told(await api.post(REPRICE, json=DAY | {"priceSource": source}))
        assert (answer["calls"], answer["callsTouched"]) == (1, 0)


REFUSED: list[tuple[dict[str, object], set[str]]] = [
    ({}, {"from"}),
    ({"from": "yesterday"}, {"from"}),
    (DAY | {"to": DAY["from"]}, {"to"}),
    (DAY | {"priceSource": "mine"}, {"priceSource"}),
    (DAY | {"priceSource": {"rateVersion": -1}}, {"priceSource"}),
    (DAY | {"priceSource": {"rates": []}}, {"priceSource"}),
    (DAY | {"priceSource": {"rates": [{"modelId": "m"}]}}, {"inputRatePerKTokens", "outputRatePerKTokens"}),
    (DAY | {"orgId": [1], "agentId": []}, {"orgId", "agentId"}),
    (DAY | {"apply": "yes", "what": 1}, {"apply", "what"}),
    ({"runId": "0"}, {"runId", "from"}),
    ({"runId": "00000000-0000-0000-0000-000000000007"}, {"runId"}),
]


async def test_what_cannot_be_meant_is_refused_naming_every_fault(api: httpx2.AsyncClient) -> None:
    for body, fields in REFUSED:
        problem = await told(await api.post(REPRICE, json=body), 422)
        assert {fault["field"] for fault in problem["errors"]} == fields, body
    unknown = {"apply": True, "runId": "00000000-0000-0000-0000-000000000007"}
    assert (await api.post(REPRICE, json=unknown)).status_code == 404


async def test_a_token_of_one_organisation_reprices_and_sees_its_own_only(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    batch = [call(number, org=org) for number, org in enumerate(("acme", "beta"), 1)]
    await a_ledger(ledger_pool).append(batch, [], NOW_NS)
    await put(api, "gpt-4o-mini", "0.001")
    everyone = await told(await api.post(REPRICE, json=DAY | {"apply": True, "orgId": "beta"}))
    own = await told(await api.post(REPRICE, json=DAY | {"apply": True}, headers=bearer("acme")))
    assert (everyone["calls"], own["calls"], own["callsTouched"]) == (1, 1, 1)
    assert (await api.post(REPRICE, json=DAY | {"orgId": "beta"}, headers=bearer("acme"))).status_code == 403
    assert (await api.post(REPRICE, json=DAY, headers=bearer("reader"))).status_code == 403
    named = {"apply": True, "runId": everyone["run"]["runId"]}
    assert (await api.post(REPRICE, json=named, headers=bearer("acme"))).status_code == 404
    assert len(await told(await api.get(REPRICE, headers=bearer("acme")))) == 1
    trail = await told(await api.get(f"{PREFIX}/audit", headers=bearer("acme")))
    assert {row["orgId"] for row in trail["items"]} == {"acme"}


async def test_the_trail_tells_who_changed_what_from_what_to_what(api: httpx2.AsyncClient) -> None:
    await put(api, "gpt-4o", "0.003", reason="contract")
    await put(api, "gpt-4o", "0.004")
    await api.delete(RATES, params={"modelId": "gpt-4o"})
    for usd in ("0.50", "0.75"):
        await api.put(f"{PREFIX}/baselines/clerk", content=f'{{"baselineUsdPerHour": {usd}}}')
    await api.delete(f"{PREFIX}/baselines/clerk")
    assert (await api.delete(f"{PREFIX}/baselines/clerk")).status_code == 404
    first = await told(await api.get(f"{PREFIX}/audit?limit=5"))
    rest = await told(await api.get(f"{PREFIX}/audit?limit=5&cursor={first['nextCursor']}"))
    whole = [*first["items"], *rest["items"]]
    assert [row["seq"] for row in whole] == list(range(len(whole), 0, -1))
    trail = [row for row in whole if not row["action"].startswith("token.")]
    assert {(row["actor"], len(row["hash"])) for row in trail} == {("ada", 64)}

    def amount(of: dict[str, Any] | None) -> str | None:
        return None if of is None else of.get("baselineUsdPerHour") or of.get("inputRatePerKTokens")

    assert [(row["action"], row["subject"], amount(row["before"]), amount(row["after"])) for row in trail] == [
        ("baseline.delete", "clerk", "0.75", None),
        ("baseline.put", "clerk", "0.5", "0.75"),
        ("baseline.put", "clerk", None, "0.5"),
        ("rate.end", "gpt-4o", "0.004", None),
        ("rate.put", "gpt-4o", "0.003", "0.004"),
        ("rate.put", "gpt-4o", None, "0.003"),
    ]
    assert trail[5]["reason"] == "contract"
    assert len((await told(await api.get(f"{PREFIX}/audit?action=rate.end")))["items"]) == 1

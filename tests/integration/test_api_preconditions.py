"""If-Match and If-None-Match on every PUT and DELETE: nobody overwrites what they have not seen, on a real ledger."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx2
import pytest
from access_world import app_over
from repricing_world import a_ledger, call

from finops.access import Scope
from ledger.pool import Pool
from ledger.tokens import register

TABLES = ("tokens", "baselines", "budgets", "deployments", "rates", "alert_destinations")
PREFIX = "/api/v1/finops"
BUDGET: dict[str, Any] = {"name": "all", "limitUsd": 10, "period": "month"}
WRITERS = 6


class Resource(NamedTuple):
    """Something that is PUT: how it is made, where, and two ways to state it."""

    path: str
    body: dict[str, Any]
    other: dict[str, Any]
    post: str = ""
    """Made by a POST there, whose answer has the number in this field."""
    number: str = ""
    delete: str = ""
    """The query that names it, where the path does not."""


RATE = {"modelId": "m-1", "inputRatePerKTokens": 0.5, "outputRatePerKTokens": 1}
HOOK = {"name": "hook", "kind": "webhook", "url": "https://1.1.1.1/in"}
NAME = {"provider": "azure", "deployment": "Chat", "modelId": "gpt-4o"}
RESOURCES = {
    "baseline": Resource("/baselines/a%2Fb", {"baselineUsdPerHour": 1}, {"baselineUsdPerHour": 2}),
    "rate": Resource("/valuation-rates", RATE, RATE | {"reason": "again"}, delete="?modelId=m-1"),
    "deployment": Resource(
        "/deployments", NAME, NAME | {"modelId": "gpt-4o-mini"}, delete="?deployment=Chat&provider=azure"
    ),
    "budget": Resource("/budgets", BUDGET, BUDGET | {"limitUsd": 20}, "/budgets", "budgetId"),
    "destination": Resource(
        "/alert-destinations", HOOK, HOOK | {"name": "other"}, "/alert-destinations", "destinationId"
    ),
}


@pytest.fixture
async def api(shared_pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    async with shared_pool.connection() as connection:
        await register(connection, name="admin", secret="admin-token", scopes=[Scope.ADMIN])
    transport = httpx2.ASGITransport(app=app_over(shared_pool), raise_app_exceptions=False)
    headers = {"Authorization": "Bearer admin-token"}
    async with httpx2.AsyncClient(transport=transport, base_url=f"http://api{PREFIX}", headers=headers) as client:
        yield client


async def made(api: httpx2.AsyncClient, one: Resource) -> tuple[str, str]:
    """Its path, and the tag of the answer that made it."""
    answer = await (api.post(one.post, json=one.body) if one.post else api.put(one.path, json=one.body))
    assert answer.status_code == 200, answer.text
    path = f"{one.path}/{answer.json()[one.number]}" if one.post else one.path
    return path, answer.headers["ETag"]


def refused(answer: httpx2.Response, header: str = "If-Match") -> None:
    assert answer.status_code == 412, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert [(fault["in"], fault["field"]) for fault in answer.json()["errors"]] == [("header", header)]


@pytest.mark.parametrize("one", RESOURCES.values(), ids=RESOURCES)
async def test_of_many_writers_who_saw_the_same_one_wins(api: httpx2.AsyncClient, one: Resource) -> None:
    path, tag = await made(api, one)
    before = (await api.get("/audit?limit=1")).json()["items"][0]["seq"]
    put = [api.put(path, json=one.other, headers={"If-Match": tag}) for _ in range(WRITERS)]
    answers = await asyncio.gather(*put)
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * (WRITERS - 1)
    (won,) = [answer for answer in answers if answer.status_code == 200]
    trail = (await api.get("/audit?limit=50")).json()["items"]
    assert len([row for row in trail if row["seq"] > before]) == 1, "only what was done is in the trail"
    refused(await api.delete(path + one.delete, headers={"If-Match": tag}))
    assert (await api.delete(path + one.delete, headers={"If-Match": won.headers["ETag"]})).status_code == 204


@pytest.mark.parametrize("one", RESOURCES.values(), ids=RESOURCES)
async def test_a_change_without_a_condition_and_one_for_anything_are_made(
    api: httpx2.AsyncClient, one: Resource
) -> None:
    path, _ = await made(api, one)
    assert (await api.put(path, json=one.other)).status_code == 200
    second = await api.put(path, json=one.body, headers={"If-Match": "*"})
    assert second.status_code == 200
    several = f'"0", W/{second.headers["ETag"]}'
    assert (await api.put(path, json=one.other, headers={"If-Match": several})).status_code == 200
    for nonsense in ("x", '""', ",", '"é"'):
        refused(await api.put(path, json=one.body, headers={b"If-Match": nonsense.encode()}))
    refused(await api.put(path, json=one.body, headers={"If-None-Match": "*"}), "If-None-Match")
    assert (await api.delete(path + one.delete)).status_code == 204


@pytest.mark.parametrize("name", ["baseline", "rate", "deployment"])
async def test_of_many_who_make_the_same_only_where_there_is_none_one_does(api: httpx2.AsyncClient, name: str) -> None:
    one = RESOURCES[name]
    refused(await api.put(one.path, json=one.body, headers={"If-Match": "*"}))
    refused(await api.delete(one.path + one.delete, headers={"If-Match": "*"}))
    put = [api.put(one.path, json=one.body, headers={"If-None-Match": "*"}) for _ in range(WRITERS)]
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*put))
    assert statuses == [200] + [412] * (WRITERS - 1)
    assert (await api.delete(one.path + one.delete)).status_code == 204
    again = await api.put(one.path, json=one.body, headers={"If-None-Match": "*"})
    assert again.status_code == 200, "what was ended is not stated any more"


@pytest.mark.parametrize("name", ["baseline", "deployment"])
async def test_a_list_tells_the_tag_of_each_row(api: httpx2.AsyncClient, name: str) -> None:
    one = RESOURCES[name]
    path, tag = await made(api, one)
    (row,) = (await api.get(path.partition("/a")[0])).json()
    assert row["etag"] == tag
    assert (await api.put(path, json=one.other, headers={"If-Match": row["etag"]})).status_code == 200


async def test_the_version_of_a_rate_is_its_tag(api: httpx2.AsyncClient) -> None:
    path, tag = await made(api, RESOURCES["rate"])
    (row,) = (await api.get(f"{path}?source=operator")).json()
    assert tag == f'"{row["version"]}"'


@pytest.mark.parametrize("name", ["budget", "destination"])
async def test_one_read_again_has_the_tag_it_was_stored_with_and_is_told_once(
    api: httpx2.AsyncClient, name: str
) -> None:
    path, tag = await made(api, RESOURCES[name])
    read = await api.get(path)
    assert read.headers["ETag"].partition("-")[0] == tag.partition("-")[0]
    assert (await api.get(path, headers={"If-None-Match": "*"})).status_code == 304
    changed = await api.put(path, json=RESOURCES[name].other, headers={"If-Match": read.headers["ETag"]})
    assert changed.status_code == 200
    assert (await api.get(path, headers={"If-None-Match": read.headers["ETag"]})).status_code == 200


async def test_spend_is_no_change_of_a_budget_but_another_answer(api: httpx2.AsyncClient, shared_pool: Pool) -> None:
    path, _ = await made(api, RESOURCES["budget"])
    before = await api.get(path)
    now_ns = time.time_ns()
    await a_ledger(shared_pool).append([call(1, start_ns=now_ns - 10**9, end_ns=now_ns)], [], now_ns)
    after = await api.get(path, headers={"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert after.json()["status"]["calls"] == 1
    put = await api.put(path, json=BUDGET, headers={"If-Match": before.headers["ETag"]})
    assert put.status_code == 200

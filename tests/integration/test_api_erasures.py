"""Erasures through the API and the command, over a ledger that a collector filled."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import httpx2
import pytest
from erasure_world import NOW_NS, OURS, USER, a_ledger, call, holding, places, said
from integration.test_api_answers import World

from finops.access import Scope
from ledger.expiring import RetentionPass
from ledger.pool import Pool
from ledger.tokens import register
from standalone.cli import main

PATH = "/api/v1/finops/erasures"
BY_USER: dict[str, object] = {"orgId": OURS, "userId": USER}


@pytest.fixture
async def api(ledger_pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    scopes = [Scope.READ, Scope.PRIVACY]
    async with ledger_pool.connection() as connection:
        await register(connection, name="ada", secret="admin-token", scopes=[Scope.ADMIN])
        await register(connection, name="zeta", secret="zeta", scopes=scopes, org_id="zeta")
        await register(connection, name="acme", secret="acme", scopes=scopes, org_id=OURS)
    spans = [call(number, number / 10) for number in range(1, 6)]
    await a_ledger(ledger_pool).append([*spans, call(6, 1, own=said(user="bob"))], [], NOW_NS)
    async with World(ledger_pool).client("admin-token") as client:
        yield client


async def told(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return json.loads(answer.text, parse_float=str)


def as_token(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_preview_changes_nothing_and_applying_it_leaves_nothing(
    api: httpx2.AsyncClient, ledger_pool: Pool, database_url: str
) -> None:
    preview = await told(await api.post(PATH, json=BY_USER))
    assert (preview["applied"], preview["erasure"], preview["kind"]) == (False, None, "user")
    assert (preview["found"]["entries"], preview["found"]["calls"]) == (5, 5)
    assert places(database_url, [USER]) == {"public.entries": 5, "public.spans": 5}
    applied = await told(await api.post(PATH, json=BY_USER | {"apply": True, "reason": "ticket 17"}))
    erasure = applied["erasure"]
    assert applied["found"] == preview["found"]
    assert (erasure["state"], erasure["requestedBy"], erasure["reason"]) == ("finished", "ada", "ticket 17")
    assert (erasure["counts"]["entries"], erasure["counts"]["spans"]) == (5, 5)
    assert places(database_url, [USER]) == {}
    assert await told(await api.get(f"{PATH}/{erasure['erasureId']}")) == erasure
    assert (await told(await api.get(PATH)))["items"] == [erasure]
    assert await holding(ledger_pool) == []
    costs = await told(
        await api.get("/api/v1/finops/costs?groupBy=user&window=2026-11-20T00:00:00Z,2026-11-21T00:00:00Z")
    )
    assert {(item["userId"], item["calls"]) for item in costs["items"]} == {(erasure["pseudonym"], 5), ("bob", 1)}
    assert costs["totals"]["calls"] == 6


async def test_a_token_of_another_organisation_neither_erases_nor_learns_of_it(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    applied = {"apply": True}
    await told(await api.post(PATH, json=BY_USER | applied, headers=as_token("zeta")), 403)
    mine = await told(await api.post(PATH, json={"userId": USER} | applied, headers=as_token("zeta")))
    assert (mine["orgId"], mine["found"]["entries"], mine["erasure"]["counts"]["entries"]) == ("zeta", 0, 0)
    ours = await told(await api.post(PATH, json={"userId": USER} | applied, headers=as_token("acme")))
    assert ours["erasure"]["counts"]["entries"] == 5
    assert [one["orgId"] for one in (await told(await api.get(PATH, headers=as_token("zeta"))))["items"]] == ["zeta"]
    await told(await api.get(f"{PATH}/{ours['erasure']['erasureId']}", headers=as_token("zeta")), 404)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"orgId": OURS}, {"userId"}),
        ({"orgId": OURS, "userId": "a", "sessionId": "b"}, {"userId"}),
        ({"userId": ""}, {"orgId", "userId"}),
        ({"orgId": OURS, "userId": USER, "reason": f"{USER} asked", "when": 1}, {"reason", "when"}),
        ({"orgId": OURS, "sessionId": "x" * 1025}, {"sessionId"}),
        ({"orgId": OURS, "sessionId": "\x00"}, {"sessionId"}),
    ],
)
async def test_every_fault_of_a_request_is_told(
    api: httpx2.AsyncClient, body: dict[str, object], fields: set[str]
) -> None:
    problem = await told(await api.post(PATH, json=body), 422)
    assert {fault["field"] for fault in problem["errors"]} == fields
    assert USER not in json.dumps(problem)


async def test_a_session_without_a_name_is_refused(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append([call(77, 1, own=said(session=None))], [], NOW_NS)
    body = {"orgId": OURS, "sessionId": (77).to_bytes(16).hex(), "apply": True}
    assert "id of a trace" in (await told(await api.post(PATH, json=body), 422))["detail"]


async def test_the_command_does_the_same_and_takes_the_name_from_standard_input(
    ledger_pool: Pool, api: httpx2.AsyncClient, database_url: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    async def erase(*words: str, status: int = 0) -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{USER}\n"))
        at = ["--database-url", database_url]
        assert await asyncio.to_thread(main, ["erase", "--org", OURS, "--user", "-", *words, *at]) == status
        return capsys.readouterr().out

    assert json.loads(await erase("--json"))["entries"] == 5
    assert "5 entries" not in await erase(f"--reason={USER}", "--apply", status=1)
    assert len(places(database_url, [USER])) == 2
    [done] = json.loads(await erase("--apply", "--reason", "asked", "--json"))
    assert (done["counts"]["entries"], done["phase"], done["requested_by"]) == (5, "finished", "agent-finops erase")
    assert places(database_url, [USER]) == {}
    assert await asyncio.to_thread(main, ["erase", "--list", "--database-url", database_url]) == 0
    assert done["pseudonym"] in capsys.readouterr().out


async def test_a_rule_of_retention_is_stated_applied_told_and_taken_back(
    api: httpx2.AsyncClient, ledger_pool: Pool, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rules, today = "/api/v1/finops/retention", datetime.now(UTC)
    days = (today.date() - date(2026, 11, 21)).days
    stated = {"orgId": OURS, "identifierDays": days}
    first = await api.put(rules, json=stated, headers={"If-None-Match": "*"})
    stored = await told(first)
    assert (stored["identifierDays"], stored["namelessThrough"], stored["updatedBy"]) == (days, None, "ada")
    assert (await api.put(rules, json=stated, headers={"If-Match": '"other"'})).status_code == 412
    assert (await api.put(rules, json=stated, headers={"If-Match": first.headers["etag"]})).status_code == 200
    window = "window=2026-11-20T00:00:00Z,2026-11-21T00:00:00Z"
    before = await told(await api.get(f"/api/v1/finops/costs?groupBy=user&{window}"))
    judge = RetentionPass(ledger_pool, lambda: 0.0)
    while await judge.slice(today):
        pass
    after = await told(await api.get(f"/api/v1/finops/costs?groupBy=user&{window}"))
    assert (before["identifiersSince"], after["identifiersSince"]) == (None, "2026-11-21T00:00:00Z")
    assert after["totals"] == before["totals"]
    assert [row["costUsd"] for row in after["items"]] == [row["costUsd"] for row in before["items"]]
    assert places(database_url, [USER]) == {}
    await told(await api.put(rules, json=stated, headers=as_token("zeta")), 403)
    await told(await api.delete(f"{rules}?orgId={OURS}", headers=as_token("zeta")), 403)
    assert await told(await api.get(rules, headers=as_token("zeta"))) == []
    assert (await api.delete(f"{rules}?orgId={OURS}")).status_code == 204
    await told(await api.delete(f"{rules}?orgId={OURS}"), 404)
    [row] = await told(await api.get(rules))
    assert (row["identifierDays"], row["namelessThrough"], row["etag"]) == (None, "2026-11-21T00:00:00Z", None)
    actions = [one["action"] for one in (await told(await api.get("/api/v1/finops/audit?orgId=acme")))["items"]]
    wanted = ["retention.delete", "retention.apply", "retention.put", "retention.put"]
    assert [action for action in actions if action.startswith("retention")] == wanted
    at = ["--database-url", database_url]
    assert await asyncio.to_thread(main, ["retention", "set", "--org", OURS, "--days", "30", *at]) == 0
    assert await asyncio.to_thread(main, ["retention", "remove", "--org", "zeta", *at]) == 1
    assert "acme  30 days  no names before 2026-11-21T00:00:00Z" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"orgId", "identifierDays"}),
        ({"orgId": OURS, "identifierDays": 0}, {"identifierDays"}),
        ({"orgId": OURS, "identifierDays": 1.5, "days": 2}, {"identifierDays", "days"}),
    ],
)
async def test_every_fault_of_a_rule_is_told(
    api: httpx2.AsyncClient, body: dict[str, object], fields: set[str]
) -> None:
    problem = await told(await api.put("/api/v1/finops/retention", json=body), 422)
    assert {fault["field"] for fault in problem["errors"]} == fields

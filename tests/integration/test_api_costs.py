"""GET /costs over a real ledger: groups, windows, pages and what is refused."""

import json
from typing import Any

import httpx2
import pytest
from integration.test_api_answers import ACME, PREFIX, World, api, world

__all__ = ["api", "world"]
PATH = f"{PREFIX}/costs"


async def costs(api: httpx2.AsyncClient, **asked: str) -> Any:
    answer = await api.get(PATH, params=asked)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=str)


async def test_a_week_by_agent_is_what_allocations_tell(api: httpx2.AsyncClient) -> None:
    told = await costs(api, groupBy="org,agent")
    assert (told["from"], told["to"], told["nextCursor"]) == ("2026-03-04T00:00:00Z", "2026-03-11T00:00:00Z", None)
    rows = json.loads((await api.get(f"{PREFIX}/allocations")).text, parse_float=str)
    assert list(told["items"]) == rows
    assert told["totals"]["costUsd"] == "2.35002"
    assert told["coverage"] == {
        "pricedCalls": 6,
        "unpricedCalls": 1,
        "unmeteredCalls": 0,
        "pricedRatio": "0.857142857143",
    }


async def test_steps_are_days_of_the_asked_zone(api: httpx2.AsyncClient) -> None:
    told = await costs(api, window="7d", step="day", tz="Europe/Berlin", agentId="support_agent")
    assert [(row["date"], row["bucketStart"], row["costUsd"]) for row in told["items"]] == [
        ("2026-03-08", "2026-03-07T23:00:00Z", "0.4"),
        ("2026-03-10", "2026-03-09T23:00:00Z", "0.25"),
    ]
    assert not {"agentId", "orgId"} & set(told["items"][0])


async def test_sessions_of_the_last_minutes_come_from_single_calls(api: httpx2.AsyncClient) -> None:
    told = await costs(api, groupBy="session", window="10m")
    assert [(row["sessionId"], row["costUsd"]) for row in told["items"]] == [
        ("s-1", "0.7"),
        ("s-4", "0.00002"),
        ("s-3", None),
    ]


@pytest.mark.parametrize("order", ["cost", "name"])
async def test_pages_keep_their_window_and_their_question(world: World, api: httpx2.AsyncClient, order: str) -> None:
    asked = {"groupBy": "session,model", "window": "24h", "order": order}
    whole = await costs(api, **asked)
    page = await costs(api, limit="1", **asked)
    found = page["items"]
    while page["nextCursor"]:
        page = await costs(api, limit="1", cursor=page["nextCursor"], **asked)
        assert (page["from"], page["totals"]) == (whole["from"], whole["totals"])
        found += page["items"]
    assert found == whole["items"]
    first = (await costs(api, limit="1", **asked))["nextCursor"]
    for changes in ({"groupBy": "session"}, {"order": "name" if order == "cost" else "cost"}, {"orgId": "acme"}):
        answer = await api.get(PATH, params=asked | changes | {"cursor": first})
        assert answer.status_code == 400
        assert [fault["field"] for fault in answer.json()["errors"]] == ["cursor"]


async def test_the_tag_changes_with_figures_and_not_with_time(api: httpx2.AsyncClient) -> None:
    first, again = await api.get(PATH), await api.get(PATH)
    assert first.json()["completeThrough"] != again.json()["completeThrough"]
    assert first.headers["ETag"] == again.headers["ETag"]
    answer = await api.get(PATH, headers={"If-None-Match": first.headers["ETag"]})
    assert answer.status_code == 304


async def test_a_bound_token_sees_its_organisation_only(world: World) -> None:
    async with world.client(ACME) as bound:
        told = await costs(bound, groupBy="org")
        assert [row["orgId"] for row in told["items"]] == ["acme"]
        assert told["totals"]["unpricedCalls"] == 0
        assert (await bound.get(PATH, params={"orgId": "beta"})).status_code == 403


REFUSED = {
    "groupBy": ["nobody", "agent,", "agent;drop", ",", "agent,agent id"],
    "window": ["", "8x", "401d", "2026-03-01", "2026-03-02T00:00:00Z,2026-03-01T00:00:00Z"],
    "step": ["minute", ""],
    "tz": ["Europe/Atlantis", "../etc/passwd", ""],
    "limit": ["0", "1001", "ten", "-1"],
    "cursor": ["", "x", "W10", "WyJ4Il0", "eyJhIjoxfQ", "[" * 9000, "ü", "MTIz"],
    "order": ["dearest"],
    "nobody": ["1"],
}


async def test_every_fault_is_told_by_its_name(api: httpx2.AsyncClient) -> None:
    for name, texts in REFUSED.items():
        for text in texts:
            answer = await api.get(PATH, params={name: text})
            assert answer.status_code == 400, (name, text, answer.text)
            assert [fault["field"] for fault in answer.json()["errors"]] == [name]
    answer = await api.get(PATH, params={"groupBy": "x", "step": "x", "tz": "x", "limit": "x"})
    assert [fault["field"] for fault in answer.json()["errors"]] == ["groupBy", "step", "tz", "limit"]
    answer = await api.get(PATH, params={"window": "32d", "groupBy": "user"})
    assert "31 days" in answer.json()["errors"][0]["detail"]

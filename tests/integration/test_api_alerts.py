"""Destinations, silences and history over the API, and deliveries to real receivers."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from alert_receiver import Receiver, receiving
from alert_world import ALERT_TABLES, fired, resolved, runaway
from standardwebhooks.webhooks import Webhook

from finops.access import Scope
from finops.alerts import Severity
from ledger.audit import AuditTrail
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.tokens import register
from ledger.unpriced import UnpricedCalls
from query_api.__main__ import build, judging_of, now
from query_api.alert_wiring import courier_of
from query_api.alerting.courier import Courier
from query_api.endpoints.health import Life
from query_api.judge_report import JudgeReport
from query_api.pool_wiring import Pools
from query_api.settings import read_settings
from query_api.unpriced import Sweeper

TABLES = (*ALERT_TABLES, "tokens")
PREFIX = "/api/v1/finops"
DESTINATIONS, SILENCES = f"{PREFIX}/alert-destinations", f"{PREFIX}/alert-silences"
SETTINGS = {
    "FINOPS_DATABASE_URL": "postgresql://nowhere/finops",
    "FINOPS_COLLECTOR_URL": "off",
    "FINOPS_ALERT_NETWORKS": "127.0.0.0/8",
    "FINOPS_ALERT_APPRISE": "1",
}
CANARY = "canary0secret0canary0secret00000"


class World:
    """The API over a ledger, and the courier of the same process."""

    def __init__(self, pool: Pool, **settings: str) -> None:
        self.pool = pool
        read = read_settings(SETTINGS | settings)
        self.courier: Courier = courier_of(read, pool, now, lambda: 1.0)
        rates = RateStore()
        sweeper, judge = Sweeper(UnpricedCalls(pool, rates)), JudgeReport(judging_of(read, pool))
        self.app = build(
            read, Pools(pool, pool, pool, pool), rates, Life(), datetime.now(UTC), sweeper, judge, self.courier
        )

    def client(self, token: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers)

    async def delivered(self, at_least: int = 1) -> int:
        """Turns of the courier until nothing is due."""
        total = 0
        while sent := await self.courier.turn():
            total += sent
        assert total >= at_least
        return total


@pytest.fixture
async def world(shared_pool: Pool) -> World:
    async with shared_pool.connection() as connection:
        for name, scopes, org in (
            ("admin", [Scope.ADMIN], None),
            ("reader", [Scope.READ], None),
            ("acme", [Scope.READ, Scope.ALERTS], "acme"),
            ("other", [Scope.READ, Scope.ALERTS], "other"),
        ):
            await register(connection, name=name, secret=f"{name}-token", scopes=scopes, org_id=org)
    return World(shared_pool)


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with world.client("admin-token") as client:
        yield client


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


async def made(api: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await api.post(DESTINATIONS, json={"name": "hook", "kind": "webhook", **body})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def faults(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 422, answer.text
    return {fault["field"]: fault["detail"] for fault in answer.json()["errors"]}


async def test_a_webhook_is_told_once_signed_with_the_secret_that_was_shown_once(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    destination = await made(api, url=f"{receiver.url}/in?key={CANARY}")
    secret = destination["newSecret"]
    for _ in range(3):
        await fired(world.pool, runaway(), datetime.now(UTC))
        await world.courier.turn()
    await resolved(world.pool, runaway().key, datetime.now(UTC))
    await world.delivered()
    told = [Webhook(secret).verify(request.body, request.headers) for request in receiver.requests]
    assert [message["type"] for message in told] == ["alert.fired", "alert.resolved"]
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2
    shown = await api.get(f"{DESTINATIONS}/{destination['destinationId']}")
    assert shown.json()["newSecret"] is None
    assert shown.json()["hasSecret"] is True
    assert secret not in shown.text
    assert CANARY not in shown.text


async def test_the_history_tells_what_fired_and_what_became_of_every_delivery(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    receiver.answers = [200, 404]
    await made(api, url=receiver.url)
    await fired(world.pool, runaway(), datetime.now(UTC))
    await world.delivered()
    await resolved(world.pool, runaway().key, datetime.now(UTC))
    await world.delivered()
    await fired(world.pool, runaway("s2", Severity.CRITICAL, org="other"), datetime.now(UTC))
    page = json.loads((await api.get(f"{PREFIX}/alerts", params={"limit": 1})).text, parse_float=str)
    assert page["items"][0]["labels"] == {"sessionId": "s2"}
    rest = json.loads((await api.get(f"{PREFIX}/alerts", params={"cursor": page["nextCursor"]})).text, parse_float=str)
    (alert,) = rest["items"]
    assert alert["figures"]["burnRateUsdPerHour"] == "4.200000000001"
    assert alert["resolvedAt"] is not None
    told = [(one["event"], one["state"], one["lastStatus"]) for one in alert["deliveries"]]
    assert told == [("resolved", "dead", 404), ("fired", "delivered", 200)]
    one = (await api.get(f"{PREFIX}/alerts/{alert['alertId']}")).json()
    assert one["deliveries"] == alert["deliveries"]
    for query, count in (
        ({"state": "firing"}, 1),
        ({"state": "resolved"}, 1),
        ({"severity": "critical"}, 1),
        ({"kind": "budget"}, 0),
        ({"orgId": "other"}, 1),
        ({"agentId": "clerk"}, 2),
    ):
        found = (await api.get(f"{PREFIX}/alerts", params=query)).json()["items"]
        assert len(found) == count, query


async def test_the_test_button_tells_at_once_what_came_of_it(api: httpx2.AsyncClient, receiver: Receiver) -> None:
    number = (await made(api, url=receiver.url))["destinationId"]
    told = (await api.post(f"{DESTINATIONS}/{number}/test")).json()
    assert told == {"delivered": True, "status": 200, "fault": None}
    assert receiver.requests[0].json["type"] == "alert.test"
    receiver.answers = [503]
    told = (await api.post(f"{DESTINATIONS}/{number}/test")).json()
    assert told == {"delivered": False, "status": 503, "fault": "answered 503"}


async def test_the_test_of_pagerduty_closes_what_it_opened(api: httpx2.AsyncClient, receiver: Receiver) -> None:
    number = (await made(api, kind="pagerduty", url=receiver.url, secret=CANARY))["destinationId"]
    assert (await api.post(f"{DESTINATIONS}/{number}/test")).json()["delivered"]
    assert [request.json["event_action"] for request in receiver.requests] == ["trigger", "resolve"]
    assert len({str(request.json["dedup_key"]) for request in receiver.requests}) == 1


async def test_slack_gets_many_alerts_in_one_message(world: World, api: httpx2.AsyncClient, receiver: Receiver) -> None:
    await made(api, kind="slack", url=f"{receiver.url}/services/{CANARY}")
    for number in range(5):
        await fired(world.pool, runaway(f"s{number}"), datetime.now(UTC))
    assert await world.courier.turn() == 1
    (request,) = receiver.requests
    assert len(request.json["blocks"]) == 5  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("body", "at_fault"),
    [
        ({}, {"name", "kind", "url"}),
        ({"name": "x", "kind": "carrier pigeon"}, {"kind", "url"}),
        ({"name": "x", "kind": "webhook", "url": "https://127.0.0.1/"}, set()),
        ({"name": "x", "kind": "webhook", "url": "https://10.0.0.1/"}, {"url"}),
        ({"name": "x", "kind": "webhook", "url": "http://169.254.169.254/latest/meta-data"}, {"url"}),
        ({"name": "x", "kind": "webhook", "url": "https://nobody.invalid/"}, {"url"}),
        ({"name": "x", "kind": "webhook", "url": "file:///etc/passwd", "secret": "short"}, {"url", "secret"}),
        ({"name": "x", "kind": "pagerduty", "url": "https://127.0.0.1/"}, {"secret"}),
        ({"name": "x", "kind": "slack", "url": "https://127.0.0.1/", "secret": "y"}, {"secret"}),
        ({"name": "x", "kind": "slack", "url": "https://127.0.0.1/", "rotateSecret": True}, {"rotateSecret"}),
        ({"name": "x", "kind": "apprise", "url": "nonsense"}, {"url"}),
        (
            {"name": "x", "kind": "slack", "url": "https://127.0.0.1/", "renotify": "interval", "matchers": {"a": []}},
            {"renotifySeconds", "matchers.a"},
        ),
        (
            {"name": "x", "kind": "slack", "url": "https://127.0.0.1/", "enabled": 1, "matchers": [], "nope": 1},
            {"enabled", "matchers", "nope"},
        ),
    ],
)
async def test_a_destination_that_cannot_be_kept_is_answered_with_every_fault(
    api: httpx2.AsyncClient, body: dict[str, Any], at_fault: set[str]
) -> None:
    answer = await api.post(DESTINATIONS, json=body)
    assert (set(faults(answer)) if at_fault else answer.status_code == 200 and set()) == at_fault


async def test_a_name_is_taken_once_in_each_organisation(api: httpx2.AsyncClient) -> None:
    url = "https://127.0.0.1/"
    await made(api, url=url)
    await made(api, url=url, orgId="acme")
    again = await api.post(DESTINATIONS, json={"name": "hook", "kind": "webhook", "url": url})
    assert "name" in faults(again)
    other = await made(api, url=url, name="hook 2")
    renamed = await api.put(f"{DESTINATIONS}/{other['destinationId']}", json={"name": "hook", "kind": "webhook"})
    assert "name" in faults(renamed)


async def test_a_secret_can_be_replaced_while_receivers_still_know_the_old_one(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    destination = await made(api, url=receiver.url)
    one = f"{DESTINATIONS}/{destination['destinationId']}"
    kept = (await api.put(one, json={"name": "renamed", "kind": "webhook"})).json()
    assert (kept["name"], kept["newSecret"], kept["target"]) == ("renamed", None, destination["target"])
    rotated = (await api.put(one, json={"name": "renamed", "kind": "webhook", "rotateSecret": True})).json()
    await fired(world.pool, runaway(), datetime.now(UTC))
    await world.delivered()
    for secret in (destination["newSecret"], rotated["newSecret"]):
        assert Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers)


async def test_a_secret_is_not_sent_to_an_address_it_was_not_stated_for(
    api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    number = (await made(api, kind="alertmanager", url=receiver.url, secret=CANARY))["destinationId"]
    moved = {"name": "hook", "kind": "alertmanager", "url": "https://127.0.0.2/"}
    assert "secret" in faults(await api.put(f"{DESTINATIONS}/{number}", json=moved))
    assert (await api.put(f"{DESTINATIONS}/{number}", json={**moved, "secret": "new"})).status_code == 200


async def test_no_answer_and_no_row_of_the_trail_tells_a_secret(
    world: World, api: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, receiver: Receiver
) -> None:
    receiver.answers = [500]
    bodies = {
        "slack": {"url": f"{receiver.url}/{CANARY}"},
        "pagerduty": {"url": receiver.url, "secret": CANARY},
        "alertmanager": {"url": f"{receiver.url}/{CANARY}", "secret": CANARY},
        "webhook": {"url": f"{receiver.url}/?{CANARY}"},
        "apprise": {"url": f"json://user:{CANARY}@127.0.0.1:{receiver.port}/{CANARY}"},
    }
    texts = []
    for kind, body in bodies.items():
        number = (await made(api, name=kind, kind=kind, **body))["destinationId"]
        texts.append((await api.post(f"{DESTINATIONS}/{number}/test")).text)
        texts.append((await api.put(f"{DESTINATIONS}/{number}", json={"name": kind, "kind": kind})).text)
    await fired(world.pool, runaway(), datetime.now(UTC))
    await world.delivered(5)
    texts += [(await api.get(path)).text for path in (DESTINATIONS, f"{PREFIX}/alerts", f"{PREFIX}/audit")]
    await api.delete(f"{DESTINATIONS}/{number}")
    trail = await AuditTrail(world.pool).page(limit=100, before=None, orgs=None, actions=None)
    actions = [row.action for row in trail if row.action.startswith("alertDestination")]
    assert actions[:2] == ["alertDestination.delete", "alertDestination.put"]
    assert len(actions) >= 11
    assert CANARY not in "".join([*texts, caplog.text, *map(str, trail)])
    assert "was not told: answered 500" in caplog.text


async def test_what_was_given_up_can_be_tried_again_where_it_is_still_news(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    receiver.answers = [404]
    number = (await made(api, url=receiver.url))["destinationId"]
    for session in ("s1", "s2"):
        await fired(world.pool, runaway(session), datetime.now(UTC))
        await world.delivered()
    receiver.answers = [200]
    await resolved(world.pool, runaway("s2").key, datetime.now(UTC))
    await world.delivered()
    listed = (await api.get(f"{DESTINATIONS}/{number}")).json()
    assert (listed["dead"], listed["lastFault"]) == (2, "answered 404")
    assert (await api.post(f"{DESTINATIONS}/{number}/retry")).json() == {"deliveries": 1}
    await world.delivered()
    assert receiver.requests[-1].json["data"]["labels"] == {"sessionId": "s1"}  # type: ignore[index]


async def test_a_silence_holds_alerts_back_until_it_is_ended(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await made(api, url=receiver.url)
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"matchers": {"agentId": ["clerk"]}, "endsAt": ends, "comment": "deploying"}
    silence = (await api.post(SILENCES, json=body)).json()
    assert (silence["matchers"], silence["createdBy"]) == ({"agentId": ["clerk"]}, "admin")
    assert [one["silenceId"] for one in (await api.get(SILENCES)).json()] == [silence["silenceId"]]
    await fired(world.pool, runaway(), datetime.now(UTC))
    assert await world.courier.turn() == 0
    assert (await api.delete(f"{SILENCES}/{silence['silenceId']}")).status_code == 204
    assert (await api.delete(f"{SILENCES}/{silence['silenceId']}")).status_code == 404
    assert (await api.get(SILENCES)).json() == []
    await world.delivered()
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("body", "at_fault"),
    [
        ({}, {"matchers", "endsAt"}),
        ({"matchers": {}, "endsAt": "2020-01-01T00:00:00Z"}, {"endsAt"}),
        ({"matchers": {}, "endsAt": "2999-01-01T00:00:00Z"}, {"endsAt"}),
        ({"matchers": {"a": 1}, "endsAt": "tomorrow"}, {"matchers.a", "endsAt"}),
    ],
)
async def test_a_silence_that_cannot_be_kept_is_answered_with_every_fault(
    api: httpx2.AsyncClient, body: dict[str, Any], at_fault: set[str]
) -> None:
    assert set(faults(await api.post(SILENCES, json=body))) == at_fault


async def test_organisations_see_and_silence_only_their_own(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    everybodys = await made(api, url=receiver.url, name="everybody's")
    ends = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    async with world.client("acme-token") as acme, world.client("other-token") as other:
        own = await made(acme, url=receiver.url, name="acme's")
        silence = (await acme.post(SILENCES, json={"matchers": {}, "endsAt": ends})).json()
        assert (own["orgId"], silence["orgId"]) == ("acme", "acme")
        for number in (own["destinationId"], everybodys["destinationId"]):
            one = f"{DESTINATIONS}/{number}"
            body = {"name": "mine now", "kind": "webhook", "url": receiver.url}
            for answer in (
                await other.get(one),
                await other.put(one, json=body),
                await other.delete(one),
                await other.post(f"{one}/test"),
                await other.post(f"{one}/retry"),
            ):
                assert answer.status_code == 404
        assert (await other.delete(f"{SILENCES}/{silence['silenceId']}")).status_code == 404
        await fired(world.pool, runaway(), datetime.now(UTC))
        await fired(world.pool, runaway("s2", org="other"), datetime.now(UTC))
        await world.delivered(1)
        assert [request.json["data"]["orgId"] for request in receiver.requests] == ["other"]  # type: ignore[index]
        seen = (await acme.get(f"{PREFIX}/alerts")).json()["items"]
        assert [(alert["orgId"], len(alert["deliveries"])) for alert in seen] == [("acme", 1)]
        assert (await other.get(f"{PREFIX}/alerts/{seen[0]['alertId']}")).status_code == 404
        assert (await other.get(SILENCES)).json() == []


async def test_apprise_is_spoken_to_where_it_is_allowed(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    await made(api, kind="apprise", url=f"json://127.0.0.1:{receiver.port}/x")
    await fired(world.pool, runaway(), datetime.now(UTC))
    await world.delivered()
    assert receiver.requests[0].json["title"] == "[warning] clerk burns too fast"
    forbidding = World(world.pool, FINOPS_ALERT_APPRISE="0")
    async with forbidding.client("admin-token") as client:
        answer = await client.post(DESTINATIONS, json={"name": "x", "kind": "apprise", "url": "json://127.0.0.1/"})
        assert "kind" in faults(answer)


async def test_metrics_tell_what_fires_what_waits_and_what_was_given_up(
    world: World, api: httpx2.AsyncClient, receiver: Receiver
) -> None:
    receiver.answers = [404, 503]
    await made(api, url=receiver.url)
    for session in ("s1", "s2"):
        await fired(world.pool, runaway(session), datetime.now(UTC))
    await world.delivered(2)
    lines = (await api.get("/actuator/prometheus")).text.splitlines()
    assert 'finops_alerts_firing{kind="anomaly",severity="warning"} 2.0' in lines
    assert 'finops_alert_deliveries{channel="webhook",state="dead"} 1.0' in lines
    assert 'finops_alert_deliveries{channel="webhook",state="waiting"} 1.0' in lines
    assert 'finops_alert_attempts_total{channel="webhook",outcome="again"} 1.0' in lines
    assert any(line.startswith('finops_alert_oldest_seconds{channel="webhook",state="waiting"} ') for line in lines)


async def test_whoever_may_only_read_changes_nothing(world: World) -> None:
    async with world.client("reader-token") as reader:
        assert (await reader.get(DESTINATIONS)).status_code == 200
        assert (await reader.post(DESTINATIONS, json={})).status_code == 403
        assert (await reader.post(SILENCES, json={})).status_code == 403

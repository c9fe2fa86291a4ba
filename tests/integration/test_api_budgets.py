"""Budgets over HTTP: stated, changed, told, refused; decisions and forecasts; on a real ledger."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from budget_world import MODEL, NOW, a_ledger, dollar_rates, ns, spent

from finops.access import Scope
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reports import Reports
from ledger.tenants import speaking_for
from ledger.tokens import TokenStore, register
from query_api.application import application
from query_api.auth import Gate
from query_api.budget_routes import budget_rows
from query_api.budget_wiring import budget_handlers
from query_api.endpoints.prometheus import Prometheus
from query_api.exchange import Endpoint
from query_api.parameters import FAMILIES
from query_api.settings import read_settings

PREFIX = "/api/v1/finops"
BUDGETS = f"{PREFIX}/budgets"
LEAST = {"name": "all", "limitUsd": 10, "period": "month"}


class Desk:
    """The budget endpoints alone, over a clock in the test's hand."""

    def __init__(self, pool: Pool) -> None:
        self.now = NOW
        self.seconds = 0.0
        limits = {"FINOPS_BUDGETS_MAX": "3", "FINOPS_BUDGET_SERIES_MAX": "2"}
        settings = read_settings({"FINOPS_DATABASE_URL": "postgresql://nowhere/finops", **limits})
        handlers = budget_handlers(settings, pool, pool, RateStore())
        desk = handlers.decisions._desk
        for remembered in (desk._index, desk._members, desk._books):
            remembered._monotonic = lambda: self.seconds
        desk._spends._monotonic = lambda: self.seconds
        prometheus = Prometheus(Reports(pool), handlers.gauges)
        rows = budget_rows(PREFIX, handlers)
        rows.append(Endpoint("GET", "/actuator/prometheus", Scope.METRICS, prometheus.scrape, "", (FAMILIES,)))
        self.app = application(rows, Gate(TokenStore(pool), lambda: 0.0), lambda: self.now, speaking_for)

    def client(self, token: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers)


@pytest.fixture
async def desk(ledger_pool: Pool) -> Desk:
    async with ledger_pool.connection() as connection:
        await register(connection, name="admin", secret="admin", scopes=[Scope.ADMIN])
        await register(connection, name="acme", secret="acme", scopes=[Scope.READ, Scope.BUDGETS], org_id="acme")
        await register(connection, name="guard", secret="guard", scopes=[Scope.DECIDE])
    await dollar_rates(ledger_pool)
    return Desk(ledger_pool)


@pytest.fixture
async def api(desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    async with desk.client("admin") as client:
        yield client


async def posted(api: httpx2.AsyncClient, **fields: Any) -> Any:
    answer = await api.post(BUDGETS, json=LEAST | fields)
    assert answer.status_code == 200, answer.text
    return read(answer)


async def decided(api: httpx2.AsyncClient, **caller: Any) -> Any:
    answer = await api.post(f"{BUDGETS}/decision", json=caller)
    assert answer.status_code == 200, answer.text
    return read(answer)


def read(answer: httpx2.Response) -> Any:
    return json.loads(answer.text, parse_float=Decimal)


async def test_a_budget_is_stated_told_changed_and_removed_and_the_trail_has_it_all(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    await a_ledger(ledger_pool).append([spent(1, 6), spent(2, 1, agent="other")], [], ns(NOW))
    scope = {"agentId": ["clerk", "cook"], "environment": ""}
    assert (await api.post(BUDGETS, json=LEAST | {"scope": scope})).status_code == 200
    stored = await posted(
        api,
        name="clerks",
        scope={"agentId": ["clerk", "cook"]},
        tz="Europe/Berlin",
        limitUsd=10,
        thresholds=[99.5, 50],
        mode="enforce",
        reason="contract",
    )
    status = stored.pop("status")
    assert stored | {"budgetId": 0} == {
        "budgetId": 0, "name": "clerks", "scope": {"agentId": ["clerk", "cook"]}, "each": None, "period": "month",
        "tz": "Europe/Berlin", "weekStartsOn": "monday", "rollingHours": None, "limitUsd": 10,
        "thresholds": [50, Decimal("99.5")], "mode": "enforce", "onUnknown": "warn", "raise": None,
        "createdAt": "2026-11-20T12:07:00Z", "updatedAt": "2026-11-20T12:07:00Z", "updatedBy": "admin",
        "memberCount": 0, "members": [],
    }  # fmt: skip
    assert status == {
        "member": None, "state": "warning", "limitUsd": 10, "spentUsd": 6, "remainingUsd": 4, "percentUsed": 60,
        "calls": 1, "unpricedCalls": 0, "complete": True, "thresholdsReached": [50],
        "periodStart": "2026-10-31T23:00:00Z", "periodEnd": "2026-11-30T23:00:00Z",
        "forecast": {"status": "insufficientHistory", "exhaustsAt": None, "projectedUsd": None, "estimate": True},
    }  # fmt: skip
    one = f"{BUDGETS}/{stored['budgetId']}"
    until = (NOW + timedelta(days=1)).isoformat()
    raised = await api.put(one, json=LEAST | {"raise": {"limitUsd": 20.5, "until": until}})
    assert read(raised)["raise"]["limitUsd"] == Decimal("20.5")
    assert read(raised)["status"]["limitUsd"] == Decimal("20.5")
    assert read(raised)["scope"] == {}
    listed = read(await api.get(f"{BUDGETS}?limit=1"))
    assert [row["budgetId"] for row in listed["items"]] == [stored["budgetId"]]
    rest = read(await api.get(f"{BUDGETS}?cursor={listed['nextCursor']}"))
    assert [row["name"] for row in rest["items"]] == ["all"]
    assert (await api.delete(one)).status_code == 204
    assert [(await api.get(one)).status_code, (await api.delete(one)).status_code] == [404, 404]
    async with ledger_pool.connection() as connection:
        text = "select action, actor, reason from audit where subject = %s order by seq"
        rows = await (await connection.execute(text, [stored["budgetId"]])).fetchall()
    assert rows == [("budget.post", "admin", "contract"), ("budget.put", "admin", ""), ("budget.delete", "admin", "")]


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"limitUsd": -1}, ["limitUsd"]),
    ({"limitUsd": 0}, ["limitUsd"]),
    ({"limitUsd": "10"}, ["limitUsd"]),
    ({"limitUsd": 1e10}, ["limitUsd"]),
    ({"limitUsd": 1e-13}, ["limitUsd"]),
    ({"limitUsd": None}, ["limitUsd"]),
    ({"period": "year"}, ["period"]),
    ({"period": None}, ["period"]),
    ({"tz": "Mars/Olympus_Mons"}, ["tz"]),
    ({"tz": "../../etc/passwd"}, ["tz"]),
    ({"period": "rolling"}, ["rollingHours"]),
    ({"period": "rolling", "rollingHours": 0}, ["rollingHours"]),
    ({"period": "rolling", "rollingHours": 2161}, ["rollingHours"]),
    ({"period": "rolling", "rollingHours": 1.5}, ["rollingHours"]),
    ({"rollingHours": 5}, ["rollingHours"]),
    ({"weekStartsOn": "caturday"}, ["weekStartsOn"]),
    ({"thresholds": []}, ["thresholds"]),
    ({"thresholds": [50, 50]}, ["thresholds"]),
    ({"thresholds": [0]}, ["thresholds"]),
    ({"thresholds": [1001]}, ["thresholds"]),
    ({"thresholds": [33.333]}, ["thresholds"]),
    ({"thresholds": ["50"]}, ["thresholds"]),
    ({"mode": "kill"}, ["mode"]),
    ({"onUnknown": True}, ["onUnknown"]),
    ({"each": "traceId"}, ["each"]),
    ({"scope": []}, ["scope"]),
    ({"scope": {"galaxy": "x", "agentId": 5}}, ["scope.agentId", "scope.galaxy"]),
    ({"raise": {"limitUsd": 5, "until": "2027-01-01T00:00:00Z"}}, ["raise.limitUsd"]),
    ({"raise": {"limitUsd": 50, "until": "2026-01-01T00:00:00Z"}}, ["raise.until"]),
    ({"raise": {"limitUsd": 50}}, ["raise.until"]),
    ({"raise": {"until": "tomorrow"}}, ["raise.limitUsd", "raise.until"]),
    ({"name": " ", "colour": "red", "limitUsd": -3}, ["colour", "limitUsd", "name"]),
]


async def test_what_cannot_be_a_budget_is_refused_with_every_fault(api: httpx2.AsyncClient) -> None:
    for fields, at_fault in REFUSED:
        answer = await api.post(BUDGETS, json=LEAST | fields)
        assert answer.status_code == 422, (fields, answer.text)
        assert sorted(error["field"] for error in answer.json()["errors"]) == at_fault, fields
    assert read(await api.get(BUDGETS)) == {"items": [], "nextCursor": None}


async def test_nan_is_no_json_and_ids_that_are_none_are_not_found(api: httpx2.AsyncClient) -> None:
    answer = await api.post(BUDGETS, content=b'{"name": "x", "period": "day", "limitUsd": NaN}')
    assert answer.status_code == 400
    assert (await api.get(f"{BUDGETS}/not-an-id")).status_code == 404


async def test_there_are_no_more_budgets_than_the_setting_says(api: httpx2.AsyncClient) -> None:
    for _ in range(3):
        await posted(api)
    answer = await api.post(BUDGETS, json=LEAST)
    assert answer.status_code == 409
    assert "FINOPS_BUDGETS_MAX" in answer.json()["detail"]


async def test_a_token_of_one_organisation_states_and_sees_only_its_own(api: httpx2.AsyncClient, desk: Desk) -> None:
    everyone = await posted(api)
    both = await posted(api, scope={"orgId": ["acme", "other"]})
    async with desk.client("acme") as acme:
        mine = await posted(acme, scope={"agentId": "clerk"})
        assert mine["scope"] == {"orgId": ["acme"], "agentId": ["clerk"]}
        assert [row["budgetId"] for row in read(await acme.get(BUDGETS))["items"]] == [mine["budgetId"]]
        for other in (everyone, both):
            one = f"{BUDGETS}/{other['budgetId']}"
            answers = [await acme.get(one), await acme.put(one, json=LEAST), await acme.delete(one)]
            assert [answer.status_code for answer in answers] == [404] * 3
        assert (await acme.post(BUDGETS, json=LEAST | {"scope": {"orgId": "other"}})).status_code == 403
        assert (await acme.post(f"{BUDGETS}/decision", json={"orgId": "other"})).status_code == 403


async def test_a_budget_over_everybody_counts_and_its_figures_are_not_told_to_one_organisation(
    api: httpx2.AsyncClient, desk: Desk, ledger_pool: Pool
) -> None:
    await a_ledger(ledger_pool).append([spent(1, 10, org="other")], [], ns(NOW))
    await posted(api, mode="enforce")
    await posted(api, mode="enforce", scope={"orgId": "acme"}, name="own")
    async with desk.client("acme") as acme:
        found = await decided(acme, agentId="clerk")
    assert (found["decision"], found["reason"], found["resetAt"]) == ("deny", "limitReached", None)
    assert [row["name"] for row in found["budgets"]] == ["own"]
    assert found["remainingUsd"] == 10


async def test_each_user_stands_alone_and_the_worst_is_told_first(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    calls = [spent(1, 11, user="ann"), spent(2, 2, user="bob"), spent(3, 1, model="unheard-of", user="eve")]
    await a_ledger(ledger_pool).append(calls, [], ns(NOW))
    budget = await posted(api, each="userId", mode="enforce")
    assert (budget["memberCount"], budget["status"]["member"]) == (3, "ann")
    told = {row["member"]: (row["state"], row["spentUsd"], row["remainingUsd"]) for row in budget["members"]}
    assert told == {"ann": ("exceeded", 11, -1), "eve": ("unknown", None, None), "bob": ("ok", 2, 8)}
    words = {name: (await decided(api, orgId="acme", userId=name))["decision"] for name in ("ann", "bob", "eve", "new")}
    assert words == {"ann": "deny", "bob": "allow", "eve": "warn", "new": "allow"}


async def test_a_decision_says_why_what_is_left_and_until_when(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append([spent(1, 6)], [], ns(NOW))
    enforced = await posted(api, mode="enforce", thresholds=[90])
    await posted(api, name="shadow", limitUsd=5, period="rolling", rollingHours=24, mode="shadow")
    fits = await decided(api, orgId="acme", modelId=MODEL, estimatedInputTokens=3, estimatedOutputTokens=1)
    assert fits == {
        "decision": "allow", "reason": "withinBudget", "shadowDecision": "deny", "estimatedUsd": 4, "remainingUsd": 4,
        "resetAt": None, "asOf": "2026-11-20T12:07:00Z", "budgets": fits["budgets"],
    }  # fmt: skip
    assert [(row["name"], row["decision"], row["shadow"]) for row in fits["budgets"]] == [
        ("shadow", "deny", True),
        ("all", "allow", False),
    ]
    over = await decided(api, orgId="acme", modelId=MODEL, estimatedInputTokens=5)
    assert (over["decision"], over["reason"], over["resetAt"]) == (
        "deny", "estimateExceedsLimit", "2026-12-01T00:00:00Z",
    )  # fmt: skip
    strange = await decided(api, orgId="acme", modelId="unheard-of", estimatedInputTokens=5)
    assert (strange["decision"], strange["reason"], strange["estimatedUsd"]) == ("warn", "unknownEstimate", None)
    assert (await api.delete(f"{BUDGETS}/{enforced['budgetId']}")).status_code == 204
    left = await decided(api, orgId="acme")
    assert (left["decision"], left["reason"], left["remainingUsd"]) == ("allow", "noBudget", None)


async def test_a_budget_of_a_model_counts_calls_by_the_name_they_are_booked_under(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    await posted(api, limitUsd=0.000001, scope={"modelId": "gpt-4o"}, mode="enforce")
    asked = await decided(api, modelId="gpt-4o", provider="openai", estimatedOutputTokens=1)
    assert (asked["decision"], asked["estimatedUsd"]) == ("deny", Decimal("0.00001"))
    assert (await decided(api, modelId="gpt-4o-mini", estimatedOutputTokens=1))["reason"] == "noBudget"


async def test_a_malformed_question_is_told(api: httpx2.AsyncClient) -> None:
    for field, value in {
        "orgID": "acme",
        "estimatedInputTokens": -1,
        "userId": 5,
        "estimatedOutputTokens": 1.5,
    }.items():
        answer = await api.post(f"{BUDGETS}/decision", json={field: value})
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)


async def test_a_guard_may_ask_and_nothing_else(desk: Desk) -> None:
    async with desk.client("guard") as guard:
        assert (await decided(guard))["decision"] == "allow"
        assert [(await guard.get(BUDGETS)).status_code, (await guard.post(BUDGETS, json=LEAST)).status_code] == [
            403
        ] * 2


async def test_a_decision_rests_on_spend_of_a_bounded_age(
    api: httpx2.AsyncClient, desk: Desk, ledger_pool: Pool
) -> None:
    await posted(api, mode="enforce")
    assert (await decided(api, orgId="acme"))["decision"] == "allow"
    await a_ledger(ledger_pool).append([spent(1, 10)], [], ns(NOW))
    desk.seconds = 0.9
    assert (await decided(api, orgId="acme"))["asOf"] == "2026-11-20T12:06:59.100000Z"
    desk.seconds = 15.1
    old = await decided(api, orgId="acme")
    assert (old["decision"], old["asOf"]) == ("deny", "2026-11-20T12:07:00Z")
    desk.now = datetime.fromisoformat("2026-12-01T00:00:00Z")
    assert (await decided(api, orgId="acme"))["decision"] == "allow"


async def test_the_month_is_forecast_from_whole_days_and_says_that_it_guesses(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    few = read(await api.get(f"{PREFIX}/forecast"))
    assert (few["status"], few["forecastUsd"], few["method"], few["estimate"]) == (
        "insufficientHistory", None, None, True,
    )  # fmt: skip
    calls = [spent(day, 10, NOW - timedelta(days=day)) for day in range(1, 30)]
    await a_ledger(ledger_pool).append([*calls, spent(99, 4), spent(100, 7, org="other")], [], ns(NOW))
    answer = await api.get(f"{PREFIX}/forecast?tz=Europe/Berlin&orgId=acme")
    assert answer.headers["X-Finops-Pending-Ranges"] == "0"
    found = read(answer)
    assert found | {"methods": 0} == {
        "month": "2026-11", "tz": "Europe/Berlin", "status": "ok", "estimate": True, "spentUsd": 194,
        "unpricedCalls": 0, "forecastUsd": 300, "lowUsd": 300, "highUsd": 300, "intervalPercent": 80,
        "method": "runRate", "error": 0, "methods": 0, "historyDays": 29, "daysLeft": 10,
    }  # fmt: skip
    assert {row["method"] for row in found["methods"]} == {"runRate", "linear", "weekdayMean", "seasonalDrift"}


async def test_gauges_have_a_series_a_budget_up_to_the_limit_and_never_one_a_member(
    api: httpx2.AsyncClient, ledger_pool: Pool
) -> None:
    calls = [spent(number, 11 - number, user=f"user-{number}") for number in range(5)]
    await a_ledger(ledger_pool).append(calls, [], ns(NOW))
    for fields in ({"each": "userId", "name": 'a "quoted" name'}, {"limitUsd": 100}, {"name": "third"}):
        await posted(api, **fields)
    page = (await api.get("/actuator/prometheus")).text
    lines = [line for line in page.splitlines() if line.startswith("finops_budget")]
    assert "finops_budgets 3.0" in lines
    assert "finops_budgets_without_series 1.0" in lines
    spent_lines = [line for line in lines if line.startswith("finops_budget_spent_usd")]
    assert sorted(line.rpartition(" ")[2] for line in spent_lines) == ["11.0", "45.0"]
    assert not any("user-" in line for line in lines)
    over = next(line for line in lines if line.startswith("finops_budget_exceeded_members") and "quoted" in line)
    assert over.endswith(" 2.0")

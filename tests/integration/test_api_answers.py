"""The API over a real ledger: paths, figures to the last digit, and who may ask."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from collector.values import TEXT_CAPS, clean_text
from finops.access import Scope
from finops.anomaly_rules import Rules
from finops.spans import LedgerUnavailable
from ledger.agent_hours import SuggestionReports
from ledger.anomalies import AnomalyReports
from ledger.audit import AuditTrail
from ledger.baselines import BaselineStore
from ledger.burn_gauges import BurnReports
from ledger.costs import CostReport
from ledger.coverage import CoverageReports
from ledger.exports import Exports
from ledger.overview import OverviewReports
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reports import Reports
from ledger.sessions import SessionReports
from ledger.tokens import TokenStore, register, revoke
from ledger.unpriced import UnpricedCalls
from query_api.__main__ import rate_handlers
from query_api.alert_wiring import alert_handlers, courier_of
from query_api.application import application
from query_api.auth import REMEMBERED_SECONDS, Gate
from query_api.budget_wiring import budget_handlers
from query_api.burn_metrics import BurnMetrics
from query_api.burn_routes import BurnHandlers
from query_api.endpoints.baseline_suggestions import SuggestionEndpoints
from query_api.endpoints.baselines import BaselineEndpoints
from query_api.endpoints.burning import Burning, BurnRules
from query_api.endpoints.costs import Costs
from query_api.endpoints.documents import PAGE_FILES
from query_api.endpoints.drill_down import DrillDownEndpoints
from query_api.endpoints.exports import ExportEndpoints
from query_api.endpoints.exports import Limits as ExportLimits
from query_api.endpoints.general_costs import GeneralCosts, Limits
from query_api.endpoints.health import Health, Life, Neighbours
from query_api.endpoints.overview import OverviewEndpoint
from query_api.endpoints.prometheus import Prometheus
from query_api.exchange import Endpoint, Open
from query_api.privacy_wiring import privacy_handlers
from query_api.routes import Handlers, table
from query_api.settings import read_settings
from query_api.unpriced import Sweeper

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
SETTINGS = {"FINOPS_DATABASE_URL": "postgresql://nowhere/finops"}
PREFIX = "/api/v1/finops"
ADMIN, READER, ACME = "admin-token", "reader-token", "acme-token"


class World:
    """The API's surroundings, in a test's hand."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.seconds = 0.0
        self.life = Life()
        self.statuses: dict[str, int | None] = {"http://collector/ready": 200, "http://provider/v1": 401}
        self.neighbours = Neighbours("http://collector/ready", {"openai": "http://provider/v1"})

    def monotonic(self) -> float:
        return self.seconds

    async def probe(self, url: str, timeout_seconds: float) -> int | None:
        return self.statuses.get(url)

    def endpoints(self) -> list[Endpoint]:
        reports, sessions = Reports(self.pool), SessionReports(self.pool)
        suggested = SuggestionEndpoints(SuggestionReports(self.pool), Decimal(5))
        gauges = BurnMetrics(BurnReports(self.pool), 600, self.monotonic)
        burning = Burning(sessions, AnomalyReports(self.pool), BurnRules(1800, Rules()))
        handlers = Handlers(
            costs=Costs(reports, lambda: NOW),
            general=GeneralCosts(CostReport(self.pool), Limits(400, 31)),
            overview=OverviewEndpoint(OverviewReports(self.pool)),
            burn=BurnHandlers(burning, BaselineEndpoints(BaselineStore(self.pool)), suggested, gauges),
            exports=ExportEndpoints(Exports(self.pool), AuditTrail(self.pool), ExportLimits(2, 400, 1.0)),
            drill_down=DrillDownEndpoints(sessions, CoverageReports(self.pool)),
            rates=rate_handlers(self.pool, RateStore(), Sweeper(UnpricedCalls(self.pool, RateStore()))),
            alerts=alert_handlers(self.pool, courier_of(read_settings(SETTINGS), self.pool, lambda: NOW, lambda: 1.0)),
            budgets=budget_handlers(read_settings(SETTINGS), self.pool, self.pool, RateStore()),
            privacy=privacy_handlers(read_settings(SETTINGS), self.pool, lambda: NOW),
            health=Health(reports, self.neighbours, self.life, self.probe, self.monotonic),
            prometheus=Prometheus(reports),
            otlp_grpc='collector:14317"<',
        )
        return table(handlers, "0")

    def client(self, token: str | None = ADMIN) -> httpx2.AsyncClient:
        gate = Gate(TokenStore(self.pool), self.monotonic)
        app = application(self.endpoints(), gate, lambda: NOW)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://api", headers=headers)


@pytest.fixture
async def world(ledger_pool: Pool) -> World:
    text = (Path(__file__).parents[1] / "testdata" / "reports" / "ledger.sql").read_text("utf-8")
    async with ledger_pool.connection() as connection:
        await connection.execute(text)
        await register(connection, name="admin", secret=ADMIN, scopes=[Scope.ADMIN])
        await register(connection, name="reader", secret=READER, scopes=[Scope.READ])
        await register(connection, name="acme", secret=ACME, scopes=[Scope.READ, Scope.BASELINES], org_id="acme")
    return World(ledger_pool)


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx2.AsyncClient]:
    async with world.client() as client:
        yield client


async def got(api: httpx2.AsyncClient, path: str) -> Any:
    answer = await api.get(PREFIX + path)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=str, parse_int=str)


def page_paths() -> list[str]:
    return ["/", *(f"/page/{name}" for name in PAGE_FILES if name != "index.html")]


async def test_trends_tell_every_field_of_the_contract_with_every_digit(api: httpx2.AsyncClient) -> None:
    rows = await got(api, "/trends")
    assert [row["date"] for row in rows] == sorted(row["date"] for row in rows)
    assert rows[2] == {
        "date": "2026-03-10",
        "orgId": "acme",
        "agentId": "finance_agent",
        "calls": "3",
        "inputTokens": "106000",
        "cachedInputTokens": "400",
        "cacheWriteTokens": "100",
        "outputTokens": "8100",
        "reasoningTokens": "50",
        "costUsd": "1.7",
        "unpricedCalls": "0",
        "agentRuns": "1",
        "toolCalls": "1",
    }
    assert rows[3]["costUsd"] == "0.00002"
    assert rows[4]["costUsd"] is None


async def test_allocations_by_agent_and_model(api: httpx2.AsyncClient) -> None:
    agents = await got(api, "/allocations?days=7&orgId=acme")
    assert [(row["agentId"], row["costUsd"]) for row in agents] == [
        ("finance_agent", "1.7"),
        ("support_agent", "0.65"),
        ("search/agent ü%", "0.00002"),
    ]
    models = await got(api, "/allocations/by-model?days=7&modelId=gpt-4o&modelId=gpt-4o-mini")
    assert [(row["provider"], row["modelId"], row["costUsd"]) for row in models] == [
        ("openai", "gpt-4o", "1.7"),
        ("openai", "gpt-4o-mini", "0.65"),
    ]
    assert models[0]["shareOfCost"] == "0.723404255319"


async def test_the_missions_anomaly(api: httpx2.AsyncClient) -> None:
    assert await got(api, "/anomalies/active") == [
        {
            "sessionId": "s-1",
            "agentId": "finance_agent",
            "burnRateUsdPerHour": "4.2",
            "baselineUsdPerHour": "0.5",
            "anomalyRatio": "8.4",
            "orgId": "acme",
            "severity": "warning",
            "rule": "rate",
            "openedAt": "2026-03-10T11:58:00Z",
            "spendUsd": "0.7",
            "windowSeconds": "600",
            "calls": "2",
            "unpricedCalls": "0",
            "anomalyMultiplier": "5",
            "lastSeenAt": "2026-03-10T11:58:00Z",
        }
    ]


async def test_burn_rates_by_rate_with_the_unknown_last(api: httpx2.AsyncClient) -> None:
    rows = await got(api, "/burn-rates/active")
    told = [(row["sessionId"], row["spendUsd"], row["burnRateUsdPerHour"], row["baselineUsdPerHour"]) for row in rows]
    assert told == [("s-1", "0.7", "4.2", "0.5"), ("s-4", "0.00002", "0.00012", None), ("s-3", None, None, "0.5")]
    assert rows[0]["firstSeenAt"] == "2026-03-10T11:40:00Z"


async def test_roi_since_the_start_and_over_days(world: World, api: httpx2.AsyncClient) -> None:
    await Reports(world.pool).record_start("query_api", datetime(2026, 3, 10, 11, 59, tzinfo=UTC))
    since_start = await got(api, "/roi-stats")
    assert since_start == {
        "cacheSavingsUsd": "0",
        "netRoiUsd": "-0.00002",
        "since": "2026-03-10T11:59:00Z",
        "semanticCacheSavingsUsd": "0",
        "promptCacheSavingsUsd": "0",
        "embeddingCostUsd": "0.00002",
    }
    week = await got(api, "/roi-stats?days=7")
    assert (week["cacheSavingsUsd"], week["netRoiUsd"]) == ("0.0025", "0.00248")


async def test_cache_impact(api: httpx2.AsyncClient) -> None:
    rows = await got(api, "/cache-impact?days=1")
    assert rows == [
        {
            "bucketStart": "2026-03-10T00:00:00Z",
            "cacheHits": "1",
            "cacheableCalls": "5",
            "hitRatio": "0.2",
            "savedTokens": "300",
            "semanticCacheSavingsUsd": "0.002",
            "promptCacheSavingsUsd": "0.0005",
            "embeddingCostUsd": "0.00002",
            "netUsd": "0.00248",
        }
    ]
    assert len(await got(api, "/cache-impact?days=1&step=hour")) == 2


async def test_a_session_and_a_trace_by_call(api: httpx2.AsyncClient) -> None:
    session = await got(api, "/sessions/s-1")
    assert (session["costUsd"], session["calls"], len(session["items"]), len(session["spans"])) == ("1.7", "3", 5, 6)
    priced = next(item for item in session["items"] if item["lines"])
    line = {"kind": "input", "tokens": "500", "ratePerKTokens": "0.0025", "costUsd": "0.00125"}
    assert priced["lines"] == [line | {"arithmetic": "500 x 0.0025 / 1000 = 0.00125"}]
    trace = await got(api, f"/traces/{'C' * 32}")
    assert (trace["traceId"], trace["costUsd"], trace["items"][0]["rateVersion"]) == ("c" * 32, "0.4", "8")
    assert (await api.get(f"{PREFIX}/sessions/none")).status_code == 404
    assert (await api.get(f"{PREFIX}/traces/{'0' * 32}")).status_code == 404
    assert (await api.get(f"{PREFIX}/traces/xyz")).status_code == 400


async def test_coverage_adds_up(api: httpx2.AsyncClient) -> None:
    told = await got(api, "/coverage")
    spans = {name: int(count) for name, count in told["spans"].items()}
    assert spans["received"] == sum(count for name, count in spans.items() if name != "received") == 14
    assert (spans["received"], spans["duplicate"], spans["suspense"]) == (14, 3, 1)
    assert sum(int(row["spans"]) for row in told["verdicts"]) + spans["suspense"] == spans["received"]
    assert told["money"]["suspenseUsd"] is None
    refused = await api.get(f"{PREFIX}/coverage?agentId=x&modelId=y&environment=z")
    assert refused.status_code == 400
    assert len(refused.json()["errors"]) == 3
    assert told["unpricedModels"][0]["modelId"] == "mystery"
    assert "mystery" in told["unpricedModels"][0]["fix"]


async def test_a_put_rate_is_stored_listed_and_exact(api: httpx2.AsyncClient) -> None:
    body = (
        '{"modelId": "house-model", "inputRatePerKTokens": 0.0025, "outputRatePerKTokens": 0.01,'
        ' "cachedInputRatePerKTokens": 0.00125, "reasoningRatePerKTokens": 0.010000000001}'
    )
    answer = await api.put(f"{PREFIX}/valuation-rates", content=body)
    assert answer.status_code == 200, answer.text
    stored = json.loads(answer.text, parse_float=str)
    assert stored["modelId"] == "house-model"
    assert stored["reasoningRatePerKTokens"] == "0.010000000001"
    listed = await got(api, "/valuation-rates?modelId=house-model")
    assert [(row["source"], row["inputRatePerKTokens"]) for row in listed] == [("operator", "0.0025")]


RATES_REFUSED: list[tuple[str, int, set[str]]] = [
    ('{"modelId": "m", "inputRatePerKTokens": -1, "outputRatePerKTokens": 1}', 422, {"inputRatePerKTokens"}),
    ('{"modelId": "m"}', 422, {"inputRatePerKTokens", "outputRatePerKTokens"}),
    ('{"inputRatePerKTokens": "x", "outputRatePerKTokens": 1}', 422, {"modelId", "inputRatePerKTokens"}),
    ('{"modelId": "m", "inputRatePerKTokens": NaN, "outputRatePerKTokens": 1}', 400, {""}),
    ('{"modelId": "m", "inputRatePerKTokens": 1e999, "outputRatePerKTokens": 1}', 422, {"inputRatePerKTokens"}),
    ('{"modelId": "m", "inputRatePerKTokens": 1, "outputRatePerKTokens": 1, "x": 1}', 422, {"x"}),
    ('{"modelId": "\\u0000", "inputRatePerKTokens": 1, "outputRatePerKTokens": 1}', 422, {"modelId"}),
    ('{"modelId": "\\ud800", "inputRatePerKTokens": 1, "outputRatePerKTokens": 1}', 422, {"modelId"}),
    ('{"modelId": "m", "modelId": "n"}', 400, {"modelId"}),
    (
        '{"modelId": "gpt-4o", "inputRatePerKTokens": 2.5, "outputRatePerKTokens": 10}',
        422,
        {"inputRatePerKTokens", "outputRatePerKTokens"},
    ),
    ('{"modelId": "m"', 400, {""}),
    ("[]", 400, {""}),
    ("[" * 60_000, 400, {""}),
    ("", 400, {""}),
]


async def test_a_rate_that_cannot_be_right_is_refused_naming_the_field(api: httpx2.AsyncClient) -> None:
    for body, status, fields in RATES_REFUSED:
        answer = await api.put(f"{PREFIX}/valuation-rates", content=body)
        assert answer.status_code == status, (body[:100], answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert {fault["field"] for fault in answer.json()["errors"]} == fields, body[:100]
    assert await got(api, "/valuation-rates?source=operator") == []


async def test_a_confirmed_rate_may_be_far_off_the_catalogue(api: httpx2.AsyncClient) -> None:
    body = '{"modelId": "gpt-4o", "inputRatePerKTokens": 2.5, "outputRatePerKTokens": 10, "confirm": true}'
    assert (await api.put(f"{PREFIX}/valuation-rates", content=body)).status_code == 200


@pytest.mark.parametrize(
    "agent", ["finance_agent", "a/b//c", "ü %2F?#&", "..", "line\nbreak", "trailing/", "a b", "日本"]
)
async def test_a_baseline_of_any_agent_name(api: httpx2.AsyncClient, agent: str) -> None:
    quoted = "".join(f"%{byte:02X}" for byte in agent.encode())
    answer = await api.put(f"{PREFIX}/baselines/{quoted}", content='{"baselineUsdPerHour": 0.50}')
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text, parse_float=str)["baselineUsdPerHour"] == "0.5"
    assert agent in [row["agentId"] for row in await got(api, "/baselines")]
    assert (await api.delete(f"{PREFIX}/baselines/{quoted}")).status_code == 204
    assert (await api.delete(f"{PREFIX}/baselines/{quoted}")).status_code == 404


BASELINES_REFUSED = [
    '{"baselineUsdPerHour": -1}',
    '{"baselineUsdPerHour": "1"}',
    '{"baselineUsdPerHour": true}',
    '{"baselineUsdPerHour": 1e400}',
    '{"baselineUsdPerHour": 0.0000000000001}',
    '{"baselineUsdPerHour": 1e-400}',
    '{"baselineUsdPerHour": 1e-999999999}',
    "{}",
]


async def test_a_baseline_that_cannot_be_kept_is_refused(api: httpx2.AsyncClient) -> None:
    for body in BASELINES_REFUSED:
        answer = await api.put(f"{PREFIX}/baselines/a", content=body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["field"] == "baselineUsdPerHour"


async def test_a_long_name_is_the_one_the_ledger_knows(api: httpx2.AsyncClient) -> None:
    name = "é" * 129
    kept = clean_text(name, TEXT_CAPS["agent"])
    answer = await api.put(f"{PREFIX}/baselines/{'%C3%A9' * 129}", content='{"baselineUsdPerHour": 1}')
    assert (answer.status_code, answer.json()["agentId"]) == (200, kept)
    assert [row["agentId"] for row in await got(api, f"/baselines?agentId={'%C3%A9' * 129}")] == [kept]
    assert (await api.delete(f"{PREFIX}/baselines/{'%C3%A9' * 129}")).status_code == 204


async def test_what_is_not_utf_8_is_refused_and_never_mended(api: httpx2.AsyncClient) -> None:
    for method in ("PUT", "DELETE"):
        answer = await api.request(method, f"{PREFIX}/baselines/a%ff", content='{"baselineUsdPerHour": 1}')
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "agent_id")
    assert (await api.get(f"{PREFIX}/sessions/%C3")).status_code == 400
    assert (await api.get(f"{PREFIX}/trends?agentId=%ff")).status_code == 400
    assert len(await got(api, "/baselines")) == 1


async def test_an_exponent_beyond_belief_is_refused(api: httpx2.AsyncClient) -> None:
    for amount, status in (("1e-999999999", 422), ("1e999999999", 422), ("1e-99999999999999999999", 400)):
        body = f'{{"modelId": "m", "inputRatePerKTokens": {amount}, "outputRatePerKTokens": 1}}'
        assert (await api.put(f"{PREFIX}/valuation-rates", content=body)).status_code == status, amount
    assert await got(api, "/valuation-rates?source=operator") == []


async def test_a_name_too_long_for_a_key_is_refused(api: httpx2.AsyncClient) -> None:
    baseline = '{"baselineUsdPerHour": 1}'
    assert (await api.put(f"{PREFIX}/baselines/{'%E6%97%A5' * 666}", content=baseline)).status_code == 200
    assert (await api.put(f"{PREFIX}/baselines/{'%E6%97%A5' * 667}", content=baseline)).status_code == 400
    rate = {"modelId": "日" * 200, "provider": "😀" * 200, "orgId": "😀" * 200}
    body = json.dumps(rate | {"inputRatePerKTokens": 1, "outputRatePerKTokens": 1})
    assert (await api.put(f"{PREFIX}/valuation-rates", content=body)).status_code == 200
    longer = json.dumps(rate | {"modelId": "m" * 201, "inputRatePerKTokens": 1, "outputRatePerKTokens": 1})
    assert (await api.put(f"{PREFIX}/valuation-rates", content=longer)).status_code == 422


async def test_a_baseline_above_the_rate_ends_the_anomaly(api: httpx2.AsyncClient) -> None:
    await api.put(f"{PREFIX}/baselines/finance_agent", content='{"baselineUsdPerHour": 0.85}')
    assert await got(api, "/anomalies/active") == []


QUERIES_REFUSED = [
    ("days=0", {"days"}),
    ("days=abc", {"days"}),
    ("days=91", {"days"}),
    ("days=-1", {"days"}),
    ("days=7.0", {"days"}),
    ("days=٣", {"days"}),
    ("days=", {"days"}),
    ("days=1&days=2", {"days"}),
    ("dayz=1", {"dayz"}),
    ("tz=Mars", {"tz"}),
    ("tz=America", {"tz"}),
    ("tz=../../etc/passwd", {"tz"}),
    ("agentId=%00", {"agentId"}),
    ("days=0&tz=Mars&what=1", {"days", "tz", "what"}),
]


async def test_a_parameter_at_fault_is_named_with_all_others(api: httpx2.AsyncClient) -> None:
    for query, fields in QUERIES_REFUSED:
        answer = await api.get(f"{PREFIX}/trends?{query}")
        assert answer.status_code == 400, query
        problem = answer.json()
        assert problem["status"] == 400
        assert {fault["field"] for fault in problem["errors"]} == fields, query


async def test_every_path_but_health_and_the_page_wants_a_token(world: World) -> None:
    async with world.client(None) as nobody:
        for endpoint in world.endpoints():
            path = endpoint.path.replace("{agent_id:text}", "a").replace("{id:text}", "a").replace("{component}", "db")
            answer = await nobody.request(endpoint.method, path)
            expected = 200 if isinstance(endpoint.scope, Open) else 401
            assert answer.status_code == expected, path
            if expected == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
    assert {row.path for row in world.endpoints() if isinstance(row.scope, Open)} == {
        *page_paths(),
        "/actuator/health",
        "/actuator/health/liveness",
        "/actuator/health/readiness",
        "/actuator/health/{component}",
    }


async def test_a_reader_cannot_change_anything(world: World) -> None:
    async with world.client(READER) as reader:
        assert (await reader.get(f"{PREFIX}/trends")).status_code == 200
        assert (await reader.get("/actuator/prometheus")).status_code == 200
        assert (await reader.put(f"{PREFIX}/valuation-rates", content="{}")).status_code == 403
        assert (await reader.put(f"{PREFIX}/baselines/a", content="{}")).status_code == 403


async def test_a_token_of_one_organisation_sees_that_one_only(world: World) -> None:
    async with world.client(ACME) as acme:
        for path in ("/trends", "/allocations", "/burn-rates/active", "/anomalies/active"):
            assert {row["orgId"] for row in await got(acme, path)} == {"acme"}
        assert "mystery" not in json.dumps(await got(acme, "/allocations/by-model"))
        assert (await acme.get(f"{PREFIX}/trends?orgId=beta")).status_code == 403
        assert (await acme.get(f"{PREFIX}/sessions/s-3")).status_code == 404
        assert (await acme.get(f"{PREFIX}/traces/{'d' * 32}")).status_code == 404
        stored = await acme.put(f"{PREFIX}/baselines/finance_agent", content='{"baselineUsdPerHour": 9}')
        assert stored.json()["orgId"] == "acme"
        assert (
            await acme.put(f"{PREFIX}/baselines/x?orgId=beta", content='{"baselineUsdPerHour": 9}')
        ).status_code == 403


async def test_a_revoked_token_stops_within_seconds(world: World) -> None:
    async with world.client(READER) as reader:
        assert (await reader.get(f"{PREFIX}/trends")).status_code == 200
        async with world.pool.connection() as connection:
            assert await revoke(connection, "reader")
        world.seconds += REMEMBERED_SECONDS
        assert (await reader.get(f"{PREFIX}/trends")).status_code == 401


STRANGE = ("", "Bearer", "Bearer ", "Basic eDp5", "Bearer " + "x" * 600, "Bearer nobody's")


async def test_a_strange_authorization_is_a_401(world: World) -> None:
    async with world.client(None) as nobody:
        for header in STRANGE:
            answer = await nobody.get(f"{PREFIX}/trends", headers={"Authorization": header})
            assert answer.status_code == 401
            assert answer.json()["title"] == "Unauthorized"


async def test_cost_answers_carry_their_tag_and_how_far_they_reach(api: httpx2.AsyncClient) -> None:
    answer = await api.get(f"{PREFIX}/trends")
    assert datetime.fromisoformat(answer.headers["x-finops-complete-through"]).tzinfo is not None
    assert answer.headers["x-finops-pending-ranges"] == "0"
    again = await api.get(f"{PREFIX}/trends", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_head_unknown_paths_and_wrong_methods(api: httpx2.AsyncClient) -> None:
    assert (await api.head(f"{PREFIX}/trends")).status_code == 200
    missing = await api.get(f"{PREFIX}/nothing")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    wrong = await api.post(f"{PREFIX}/valuation-rates")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "DELETE, GET, HEAD, PUT")
    assert wrong.headers["content-type"] == "application/problem+json"
    large = await api.put(f"{PREFIX}/valuation-rates", content=b" " * 70_000)
    assert large.status_code == 413


async def test_health_has_springs_shape_and_tells_what_is_down(world: World, api: httpx2.AsyncClient) -> None:
    answer = await api.get("/actuator/health")
    told = answer.json()
    database = told["components"].pop("db")
    assert (database["status"], database["details"]["engine"]) == ("UP", "postgres")
    assert database["details"]["version"].startswith("PostgreSQL 1")
    assert (database["details"]["pendingRanges"], "jobs" in database["details"]) == (0, False)
    assert (answer.status_code, told) == (
        200,
        {
            "status": "UP",
            "components": {
                "collector": {"status": "UP"},
                "providers": {
                    "status": "UP",
                    "components": {"openai": {"status": "UP", "details": {"httpStatus": 401}}},
                },
            },
            "groups": ["liveness", "readiness"],
        },
    )
    world.statuses["http://collector/ready"] = None
    world.seconds += 10
    down = await api.get("/actuator/health")
    assert (down.status_code, down.json()["status"]) == (503, "DOWN")
    assert (await api.get("/actuator/health/db")).status_code == 200
    assert (await api.get("/actuator/health/collector")).status_code == 503
    assert (await api.get("/actuator/health/docker")).status_code == 404
    assert (await api.get("/actuator/health/liveness")).status_code == 200
    assert (await api.get("/actuator/health/readiness")).status_code == 200
    world.life.draining = True
    assert (await api.get("/actuator/health/readiness")).json()["status"] == "OUT_OF_SERVICE"


async def test_without_its_database_the_api_says_so(world: World, api: httpx2.AsyncClient) -> None:
    assert (await api.get(f"{PREFIX}/trends")).status_code == 200
    await world.pool.close()
    with pytest.raises(LedgerUnavailable):
        await Reports(world.pool).storage()
    answer = await api.get(f"{PREFIX}/trends")
    assert (answer.status_code, answer.json()["title"]) == (503, "Service Unavailable")
    health = await api.get("/actuator/health")
    assert (health.status_code, health.json()["components"]["db"]["status"]) == (503, "DOWN")
    assert (await api.get("/actuator/health/liveness")).status_code == 200


PAGE = """\
# HELP agent_runs_total Runs of agents.
# TYPE agent_runs_total counter
agent_runs_total{agent_id="finance_agent",org_id="acme"} 1.0
# HELP agent_tool_calls_total Tool calls of agents.
# TYPE agent_tool_calls_total counter
agent_tool_calls_total{agent_id="finance_agent",org_id="acme"} 1.0
# HELP finops_cache_savings_usd_total USD saved by caches.
# TYPE finops_cache_savings_usd_total counter
finops_cache_savings_usd_total{cache="prompt"} 0.0005
finops_cache_savings_usd_total{cache="semantic"} 0.002
# HELP finops_embedding_cost_usd USD spent on priced embedding calls.
# TYPE finops_embedding_cost_usd summary
finops_embedding_cost_usd_count 1
finops_embedding_cost_usd_sum 0.00002
# HELP finops_embedding_cost_usd_max Dearest embedding call of the last three minutes, in USD.
# TYPE finops_embedding_cost_usd_max gauge
finops_embedding_cost_usd_max 0.00002
"""


async def test_prometheus_prints_the_four_families(api: httpx2.AsyncClient) -> None:
    answer = await api.get("/actuator/prometheus")
    assert answer.headers["content-type"] == "text/plain;version=0.0.4;charset=utf-8"
    assert answer.text == PAGE
    one = await api.get("/actuator/prometheus?includedNames=agent_runs_total")
    assert one.text == "".join(PAGE.splitlines(keepends=True)[:3])
    accept = {"Accept": "application/openmetrics-text;version=1.0.0"}
    open_metrics = await api.get("/actuator/prometheus", headers=accept)
    assert open_metrics.text.splitlines()[1] == "# TYPE agent_runs counter"
    assert open_metrics.text.endswith("# EOF\n")


async def test_counters_never_fall(world: World, api: httpx2.AsyncClient) -> None:
    before = (await api.get("/actuator/prometheus")).text
    async with world.pool.connection() as connection:
        await connection.execute("update usage_1d set agent_runs = 0, tool_calls = 0, semantic_savings_pico = 0")
    assert (await api.get("/actuator/prometheus")).text == before


async def test_the_openapi_document_describes_the_whole_table(world: World, api: httpx2.AsyncClient) -> None:
    described = (await api.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    for endpoint in world.endpoints():
        path = endpoint.path.replace(":text}", "}")
        assert endpoint.method.lower() in described["paths"][path]
    trend = described["components"]["schemas"]["Trend"]["properties"]
    assert set(trend) >= {"date", "orgId", "agentId", "costUsd", "agentRuns", "toolCalls"}


async def test_the_page_asks_nobody_else(world: World) -> None:
    async with world.client(None) as browser:
        answer = await browser.get("/")
        assert answer.headers["content-type"].startswith("text/html")
        assert 'content="collector:14317&quot;&lt;"' in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        for path in page_paths():
            text = (await browser.get(path)).text
            assert "http://" not in text.replace("http://www.w3.org", "").replace("http://${here", "")
            assert "https://" not in text


async def test_an_agent_may_be_called_like_a_path(api: httpx2.AsyncClient) -> None:
    path = f"{PREFIX}/baselines/suggestions"
    assert (await api.put(path, content='{"baselineUsdPerHour": 1}')).json()["agentId"] == "suggestions"
    assert (await api.get(path)).json() == []
    assert (await api.delete(path)).status_code == 204
    assert (await api.post(path)).status_code == 405


async def test_a_multiplier_beyond_belief_is_refused_and_a_sane_one_kept(api: httpx2.AsyncClient) -> None:
    for multiplier in ("0", "0.5", "-1", "1001", "1e400", '"5"', "true", "NaN", "1.0000000000001"):
        body = f'{{"baselineUsdPerHour": 1, "anomalyMultiplier": {multiplier}}}'
        answer = await api.put(f"{PREFIX}/baselines/a", content=body)
        assert answer.status_code in (400, 422), multiplier
    kept = await api.put(f"{PREFIX}/baselines/a", content='{"baselineUsdPerHour": 1, "anomalyMultiplier": 7.5}')
    assert json.loads(kept.text, parse_float=str)["anomalyMultiplier"] == "7.5"


async def test_burning_sessions_come_in_pages(api: httpx2.AsyncClient) -> None:
    found, cursor = [], ""
    while True:
        answer = await api.get(f"{PREFIX}/burn-rates/active?limit=1{cursor}")
        assert answer.headers["X-Finops-Active-Sessions"] == "3"
        found += [row["sessionId"] for row in answer.json()]
        if "X-Next-Cursor" not in answer.headers:
            break
        cursor = f"&cursor={answer.headers['X-Next-Cursor']}"
    assert found == ["s-1", "s-4", "s-3"]
    for wrong in ("limit=0", "limit=10001", "cursor=x", "cursor=1-2-3", "cursor=0-5", f"cursor={'9' * 18}-1"):
        assert (await api.get(f"{PREFIX}/burn-rates/active?{wrong}")).status_code == 400, wrong


async def test_past_anomalies_are_told_with_what_caused_them(api: httpx2.AsyncClient) -> None:
    page = await got(api, "/anomalies?sessionId=s-1&state=open")
    assert page["nextCursor"] is None
    [anomaly] = page["items"]
    assert (anomaly["severity"], anomaly["peakRatio"], anomaly["closedAt"], anomaly["topCalls"]) == (
        "warning",
        "8.4",
        None,
        [],
    )
    assert (await got(api, "/anomalies?state=closed"))["items"] == []
    assert (await api.get(f"{PREFIX}/anomalies?state=ajar")).status_code == 400

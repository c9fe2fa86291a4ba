"""A budget from its first threshold to its next period: told once to each, over once, by real processes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alert_processes import ClockAhead, query_api
from alert_receiver import Receiver, receiving
from alertmanager_process import alertmanager, needs_alertmanager, until
from budget_world import MODEL, a_ledger, ns, spent
from judge_rounds import rounds
from standardwebhooks.webhooks import Webhook

from finops.access import Scope
from finops.rates import RatePut, stated_from_k_tokens
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.tokens import register

PREFIX = "/api/v1/finops"
OFTEN = {"FINOPS_JUDGE_MS": "100", "FINOPS_BUDGET_EVERY_MS": "100", "FINOPS_ALERT_RESEND_SECONDS": "10"}
BUDGET = {
    "name": "month of clerk",
    "scope": {"agentId": "clerk"},
    "limitUsd": 10,
    "period": "month",
    "thresholds": [50],
}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), needs_alertmanager]


@pytest.fixture
async def admin(ledger_pool: Pool) -> dict[str, str]:
    stated = stated_from_k_tokens({"inputRatePerKTokens": "1000", "outputRatePerKTokens": "1000"})
    async with ledger_pool.connection() as connection:
        await register(connection, name="admin", secret="admin-token", scopes=[Scope.ADMIN])
        long_ago = datetime.now(UTC) - timedelta(days=1)
        await RateStore().put(connection, RatePut(model_id=MODEL, stated=stated, author="ada"), long_ago)
    return {"Authorization": "Bearer admin-token"}


@pytest.fixture
async def hooks() -> AsyncIterator[tuple[Receiver, Receiver]]:
    """Who is told by us, and who by Alertmanager."""
    async with receiving() as ours, receiving() as theirs:
        yield ours, theirs


def events(receiver: Receiver) -> list[Any]:
    """Of budgets: whether the dear calls of this story are an anomaly, too, is not its subject."""
    return [request.json["type"] for request in of_budgets(receiver)]


def of_budgets(receiver: Receiver) -> list[Any]:
    """Told requests, any of them a JSON document."""
    requests: list[Any] = [*receiver.requests]
    return [request for request in requests if request.json["data"]["kind"] == "budget"]


def by_alertmanager(receiver: Receiver) -> list[tuple[str, str, str]]:
    alerts: list[Any] = [one for request in receiver.requests for one in request.json["alerts"]]  # type: ignore[attr-defined]
    alerts = [one for one in alerts if one["labels"]["alertname"] == "FinopsBudget"]
    return [(one["status"], one["labels"]["alertname"], one["labels"]["threshold"]) for one in alerts]


async def comes(receiver: Receiver, told: Any, expected: list[Any], what: str) -> None:
    async def is_there() -> bool:
        return bool(told(receiver) == expected)

    await until(is_there, what)


async def test_a_threshold_is_told_once_a_period_to_a_signed_webhook_and_to_alertmanager(
    ledger_pool: Pool,
    database_url: str,
    admin: dict[str, str],
    hooks: tuple[Receiver, Receiver],
    tmp_path: Path,
) -> None:
    (ours, theirs), clock, ledger = hooks, ClockAhead(tmp_path), a_ledger(ledger_pool)

    async def spend(number: int, usd: int) -> None:
        at = datetime.now(UTC) + timedelta(seconds=clock.seconds)
        await ledger.append([spent(number, usd, at)], [], ns(at))

    async with (
        alertmanager(tmp_path, theirs.url) as prometheus_side,
        query_api(database_url, tmp_path, clock, **OFTEN) as process,
        httpx2.AsyncClient(base_url=process.url, headers=admin, timeout=30) as api,
    ):
        hook = {"name": "hook", "kind": "webhook", "url": ours.url}
        secret = (await api.post(f"{PREFIX}/alert-destinations", json=hook)).json()["newSecret"]
        other = {"name": "alertmanager", "kind": "alertmanager", "url": prometheus_side}
        assert (await api.post(f"{PREFIX}/alert-destinations", json=other)).is_success
        budget = (await api.post(f"{PREFIX}/budgets", json=BUDGET)).json()["budgetId"]
        await spend(1, 4)
        await rounds(api, 3, "budgets")
        assert events(ours) == []

        await spend(2, 2)
        await comes(ours, events, ["alert.fired"], "the threshold at our webhook")
        told = Webhook(secret).verify(of_budgets(ours)[0].body, of_budgets(ours)[0].headers)
        assert told["data"]["labels"] == {"budgetId": budget, "threshold": "50"}
        assert (told["data"]["kind"], told["data"]["severity"]) == ("budget", "warning")
        await comes(theirs, by_alertmanager, [("firing", "FinopsBudget", "50")], "the threshold at Alertmanager")
        await spend(3, 1)
        await rounds(api, 3, "budgets")
        assert events(ours) == ["alert.fired"], "more of the same is no news"

        ends = datetime.now(UTC) + timedelta(minutes=10)
        raised = BUDGET | {"raise": {"limitUsd": 20, "until": ends.isoformat()}}
        assert (await api.put(f"{PREFIX}/budgets/{budget}", json=raised)).is_success
        await comes(ours, events, ["alert.fired", "alert.resolved"], "the end, by the raise")
        both = [("firing", "FinopsBudget", "50"), ("resolved", "FinopsBudget", "50")]
        await comes(theirs, by_alertmanager, both, "the end at Alertmanager")
        clock.put_forward(15 * 60)
        await rounds(api, 3, "budgets")
        assert len(events(ours)) == 2, "the raise has ended, and what was told of the old limit is not told again"

        clock.put_forward(timedelta(days=32).total_seconds())
        await rounds(api, 3, "budgets")
        await spend(4, 6)
        await comes(ours, events, ["alert.fired", "alert.resolved", "alert.fired"], "the next period's threshold")

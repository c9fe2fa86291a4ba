"""A runaway agent, from its first span to the all-clear: told once, over once, though the teller is killed between."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alert_processes import ClockAhead, collector, query_api
from alert_receiver import Receiver, receiving
from alert_world import fired, runaway
from alertmanager_process import until
from judge_rounds import rounds
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from standardwebhooks.webhooks import Webhook

from finops.access import Scope
from ledger.alert_outbox import LEASE
from ledger.pool import Pool
from ledger.tokens import register

PREFIX = "/api/v1/finops"
JUDGED_OFTEN = {"FINOPS_JUDGE_MS": "100"}
STEP_SECONDS = 10.0
"""By which the clock is put forward; as much as one look of the judge counts at most."""
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def admin(ledger_pool: Pool) -> dict[str, str]:
    async with ledger_pool.connection() as connection:
        await register(connection, name="admin", secret="admin-token", scopes=[Scope.ADMIN])
    return {"Authorization": "Bearer admin-token"}


def burn(otlp: str, calls: int) -> None:
    """An agent under OpenTelemetry's own SDK that makes calls of a dollar and more each."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"http://{otlp}/v1/traces")))
    tracer = provider.get_tracer("agent")
    said: dict[str, str | int] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.agent.name": "clerk",
        "gen_ai.conversation.id": "runaway-session",
        "gen_ai.usage.input_tokens": 400_000,
        "gen_ai.usage.output_tokens": 10_000,
    }
    for _ in range(calls):
        tracer.start_span("chat gpt-4o", attributes=said).end()
    provider.shutdown()


def events(receiver: Receiver) -> list[Any]:
    return [request.json["type"] for request in receiver.requests]


async def got(api: httpx2.AsyncClient, path: str) -> Any:
    answer = await api.get(PREFIX + path)
    assert answer.status_code == HTTPStatus.OK, answer.text
    return answer.json()


async def test_a_runaway_agent_is_told_once_and_the_end_of_it_once(
    database_url: str, admin: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    clock = ClockAhead(tmp_path)
    async with collector(database_url, tmp_path) as otlp:
        async with query_api(database_url, tmp_path, clock, **JUDGED_OFTEN) as first:
            async with httpx2.AsyncClient(base_url=first.url, headers=admin) as api:
                await api.put(f"{PREFIX}/baselines/clerk", json={"baselineUsdPerHour": 0.5})
                hook = {"name": "hook", "kind": "webhook", "url": receiver.url}
                secret = (await api.post(f"{PREFIX}/alert-destinations", json=hook)).json()["newSecret"]
                await rounds(api, 2)
                assert (events(receiver), await got(api, "/anomalies/active")) == ([], [])
                await asyncio.to_thread(burn, otlp, 8)
                await until(lambda: _arrived(receiver, 1), "the alert")
                (anomaly,) = await got(api, "/anomalies/active")
                assert (anomaly["sessionId"], anomaly["agentId"]) == ("runaway-session", "clerk")
                await asyncio.to_thread(burn, otlp, 4)
                await rounds(api, 5)
            await first.kill()
        async with (
            query_api(database_url, tmp_path, clock, **JUDGED_OFTEN) as second,
            httpx2.AsyncClient(base_url=second.url, headers=admin) as api,
        ):
            await rounds(api, 5)
            assert events(receiver) == ["alert.fired"], "neither going on nor a restart is news"
            told = Webhook(secret).verify(receiver.requests[0].body, receiver.requests[0].headers)
            assert told["data"]["labels"] == {"sessionId": "runaway-session"}

            async def over() -> bool:
                if (await got(api, "/alerts?state=firing"))["items"]:
                    clock.put_forward(STEP_SECONDS)
                    return False
                return True

            await until(over, "the end of it")
            await until(lambda: _arrived(receiver, 2), "the all-clear")
            await rounds(api, 5)
            assert events(receiver) == ["alert.fired", "alert.resolved"]
            assert await got(api, "/anomalies/active") == []
            (alert,) = (await got(api, "/alerts"))["items"]
            assert [(one["event"], one["state"], one["attempts"]) for one in alert["deliveries"]] == [
                ("resolved", "delivered", 1),
                ("fired", "delivered", 1),
            ]


async def _arrived(receiver: Receiver, count: int) -> bool:
    return len(receiver.requests) >= count


async def test_killed_between_sending_and_noting_it_is_sent_again_under_the_same_id(
    ledger_pool: Pool, database_url: str, admin: dict[str, str], receiver: Receiver, tmp_path: Path
) -> None:
    clock = ClockAhead(tmp_path)
    receiver.answers = [None, 200]
    async with query_api(database_url, tmp_path, clock) as first:
        async with httpx2.AsyncClient(base_url=first.url, headers=admin) as api:
            hook = {"name": "hook", "kind": "webhook", "url": receiver.url}
            await api.post(f"{PREFIX}/alert-destinations", json=hook)
        await fired(ledger_pool, runaway(), datetime.now(UTC))
        await until(lambda: _arrived(receiver, 1), "the alert")
        await first.kill()
    clock.put_forward(LEASE.total_seconds() + 1)
    async with query_api(database_url, tmp_path, clock) as second:
        await until(lambda: _arrived(receiver, 2), "the alert again")

        async def noted() -> bool:
            async with httpx2.AsyncClient(base_url=second.url, headers=admin) as api:
                (alert,) = (await got(api, "/alerts"))["items"]
                return [one["state"] for one in alert["deliveries"]] == ["delivered"]

        await until(noted, "it to be noted")
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len(receiver.requests) == 2

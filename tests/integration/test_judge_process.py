"""Two query APIs, one judge: killed, the other follows within ten seconds, and nobody is told twice."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
from burning_world import calls, spend

from finops.access import Scope
from ledger.baselines import BaselineStore
from ledger.pool import Pool
from ledger.tokens import register

ROOT = Path(__file__).parents[2]
PREFIX = "/api/v1/finops"
MOVES_SECONDS_MAX = 10


class Running(NamedTuple):
    """One query API."""

    process: asyncio.subprocess.Process
    client: httpx2.AsyncClient

    async def leads(self) -> bool:
        health = await self.client.get("/actuator/health/judge")
        return bool(health.json()["details"]["leads"])

    async def anomalies(self, state: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.client.get(f"{PREFIX}/anomalies?state={state}")).json()["items"]
        return found


@asynccontextmanager
async def query_api(url: str) -> AsyncIterator[Running]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FINOPS_")}
    told = {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": url,
        "FINOPS_API": "127.0.0.1:0",
        "FINOPS_COLLECTOR_URL": "off",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "query_api", cwd=ROOT, env=kept | told, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            words = (await process.stdout.readline()).decode().split()
        headers = {"Authorization": "Bearer secret"}
        async with httpx2.AsyncClient(base_url=words[2], headers=headers, timeout=30) as client:
            yield Running(process, client)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            pass
    return found


async def alerts(pool: Pool) -> list[tuple[Any, ...]]:
    async with pool.connection() as connection:
        return await (await connection.execute("select key, resolved_at is null from alerts")).fetchall()


async def test_a_killed_judge_is_followed_and_what_it_told_is_not_told_again(
    ledger_pool: Pool, database_url: str
) -> None:
    await BaselineStore(ledger_pool).put("", "agent", Decimal("0.5"), "test")
    async with ledger_pool.connection() as connection:
        await register(connection, name="admin", secret="secret", scopes=[Scope.ADMIN])
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(query_api(database_url))
        await until(first.leads)
        second = await stack.enter_async_context(query_api(database_url))
        assert not await second.leads()
        await spend(ledger_pool, calls(datetime.now(UTC) - timedelta(seconds=60), 6, 10, 0.15, session="runaway"))
        active = (await second.client.get(f"{PREFIX}/anomalies/active")).json()
        assert [row["sessionId"] for row in active] == ["runaway"], "seen at once by whoever is asked"
        [opened] = await until(lambda: second.anomalies("open"))
        told = await alerts(ledger_pool)
        assert told == [("anomaly:default:runaway:agent", True)]
        first.process.kill()
        await first.process.wait()
        await until(second.leads, MOVES_SECONDS_MAX)
        await spend(ledger_pool, calls(datetime.now(UTC) - timedelta(seconds=60), 6, 10, 0.15, session="another"))
        both = await until(lambda: two_open(second))
        assert [row["anomalyId"] for row in both][1] == opened["anomalyId"]
        assert [key for key, _ in await alerts(ledger_pool)] == [
            "anomaly:default:runaway:agent",
            "anomaly:default:another:agent",
        ]
        metrics = (await second.client.get("/actuator/prometheus")).text
        assert "finops_judge_leader 1.0" in metrics
        assert 'finops_anomalies_open{agent_id="agent",org_id="default",severity="warning"} 2.0' in metrics
        await third_leads_after_a_clean_end(stack, second, database_url)


async def two_open(api: Running) -> list[dict[str, Any]]:
    found = await api.anomalies("open")
    return found if len(found) == 2 else []


async def third_leads_after_a_clean_end(stack: AsyncExitStack, second: Running, url: str) -> None:
    third = await stack.enter_async_context(query_api(url))
    assert not await third.leads()
    second.process.terminate()
    await until(third.leads, MOVES_SECONDS_MAX)
    assert len(await third.anomalies("open")) == 2

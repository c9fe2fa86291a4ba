"""The query API as a process: one ready line, answers, a clean end, and refusals to start that say why."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx2

from finops.access import Scope
from ledger.pool import Pool
from ledger.tokens import register

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


async def started(url: str, **environment: str) -> asyncio.subprocess.Process:
    told = {
        **os.environ,
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": url,
        "FINOPS_API": "127.0.0.1:0",
        "FINOPS_COLLECTOR_URL": "off",
        **environment,
    }
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "query_api", cwd=ROOT, env=told, stdout=pipe, stderr=pipe
    )


async def test_ready_answer_and_end(ledger_pool: Pool, database_url: str) -> None:
    async with ledger_pool.connection() as connection:
        await register(connection, name="admin", secret="secret", scopes=[Scope.ADMIN])
    process = await started(database_url)
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        words = (await process.stdout.readline()).decode().split()
        assert words[:2] == ["ready", "query_api"]
        headers = {"Authorization": "Bearer secret"}
        async with httpx2.AsyncClient(base_url=words[2], headers=headers) as api:
            assert (await api.get("/actuator/health")).json()["status"] == "UP"
            rates = "/api/v1/finops/valuation-rates"
            body = '{"modelId": "m", "inputRatePerKTokens": 1, "outputRatePerKTokens": 2}'
            assert (await api.put(rates, content=body)).status_code == 200
            assert (await api.get(rates, params={"modelId": "m"})).json()[0]["outputRatePerKTokens"] == 2
            agent = "/api/v1/finops/baselines/a%2Fb%0A%25"
            stored = await api.put(agent, content='{"baselineUsdPerHour": 1.5}')
            assert stored.json()["agentId"] == "a/b\n%"
            assert (await api.get("/api/v1/finops/roi-stats")).json()["since"].endswith("Z")
        process.send_signal(signal.SIGTERM)
        rest, _ = await process.communicate()
    assert (process.returncode, rest) == (0, b"")


async def refusal(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        out, err = await process.communicate()
    assert out == b""
    return process.returncode, err.decode()


async def test_bad_settings_are_all_told(database_url: str) -> None:
    status, said = await refusal(await started(database_url, FINOPS_API="x", FINOPS_WINDOW_SECONDS="7"))
    assert status == 2
    assert "FINOPS_API" in said
    assert "FINOPS_WINDOW_SECONDS" in said


async def test_it_does_not_listen_beyond_loopback_before_a_token_exists(database_url: str) -> None:
    status, said = await refusal(await started(database_url, FINOPS_API="0.0.0.0:0"))
    assert status == 1
    assert "token create" in said


async def test_a_database_without_the_schema_is_refused(empty_database_url: str) -> None:
    status, said = await refusal(await started(empty_database_url))
    assert status == 1
    assert "agent-finops migrate" in said
    assert "Traceback" not in said

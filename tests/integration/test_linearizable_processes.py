"""Rates put over HTTP, spans sent over OTLP, two collectors and a query API as processes of their own."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import otlp_bytes
import pytest

from finops.access import Scope
from ledger.pool import Pool
from ledger.tokens import register

ROOT = Path(__file__).parents[2]
PUTS = 40
PATIENCE_SECONDS = 60
FREE_PORTS = ("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS", "FINOPS_API")
RATES = "/api/v1/finops/valuation-rates"


@asynccontextmanager
async def service(module: str, database_url: str) -> AsyncIterator[str]:
    """A service of the product; the last word of its ready line."""
    told = {name: value for name, value in os.environ.items() if not name.startswith("FINOPS_")}
    told |= dict.fromkeys(FREE_PORTS, "127.0.0.1:0")
    told |= {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": database_url,
        "FINOPS_ALLOW_FSYNC_OFF": "1",
        "FINOPS_COLLECTOR_URL": "off",
    }
    pipe, quiet = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
    command = (sys.executable, "-m", module)
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=told, stdout=pipe, stderr=quiet)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            words = (await process.stdout.readline()).decode().split()
        assert words[:2] == ["ready", module]
        addresses = dict(word.split("=", 1) for word in words[2:] if "=" in word)
        yield f"http://{addresses['http']}" if addresses else words[2]
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


def one_call(number: int) -> bytes:
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "vllm",
        "gen_ai.request.model": "house-7b",
        "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 0,
    }
    now = time.time_ns()
    span = otlp_bytes.span(said, trace_id=number.to_bytes(16), span_id=number.to_bytes(8), start_ns=now, end_ns=now + 1)
    return otlp_bytes.export(span)


@pytest.mark.slow
async def test_every_span_sent_after_an_answer_has_the_price_of_that_answer(
    ledger_pool: Pool, database_url: str
) -> None:
    async with ledger_pool.connection() as connection:
        await register(connection, name="admin", secret="secret", scopes=[Scope.ADMIN])
    async with (
        service("query_api", database_url) as api_url,
        service("collector", database_url) as first,
        service("collector", database_url) as second,
        httpx2.AsyncClient(headers={"Authorization": "Bearer secret"}, timeout=PATIENCE_SECONDS) as client,
    ):
        for number in range(1, PUTS + 1):
            body = f'{{"modelId": "house-7b", "inputRatePerKTokens": 0.{number:04}, "outputRatePerKTokens": 0}}'
            assert (await client.put(api_url + RATES, content=body)).status_code == 200
            answers = await asyncio.gather(
                *(send(client, url, 2 * number + at) for at, url in enumerate((first, second)))
            )
            assert answers == [200, 200]
    async with ledger_pool.connection() as connection:
        found = await connection.execute("select span_id, cost_pico from entries where calls = 1")
        costs = {int.from_bytes(bytes(span)): cost for span, cost in await found.fetchall()}  # type: ignore[call-overload]
    assert costs == {number: number // 2 * 10**8 for number in range(2, 2 * PUTS + 2)}


async def send(client: httpx2.AsyncClient, url: str, number: int) -> int:
    headers = {"Content-Type": "application/x-protobuf"}
    return (await client.post(f"{url}/v1/traces", content=one_call(number), headers=headers)).status_code

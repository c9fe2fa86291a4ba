"""What caches bring in, and what a call cost, computed by hand and asked of the API."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from integration.test_api_answers import NOW, World
from repricing_world import a_ledger, assert_sums_agree, call

from finops.access import Scope
from finops.spans import SpanRecord
from finops.usage import TokenUsage
from ledger.pool import Pool
from ledger.reports import Reports
from ledger.tokens import register

PREFIX = "/api/v1/finops"
SECOND_NS = 10**9
NOON_NS = int(NOW.timestamp()) * SECOND_NS
MODEL = {
    "modelId": "house-llm",
    "inputRatePerKTokens": "0.003",
    "cachedInputRatePerKTokens": "0.0003",
    "cacheWriteRatePerKTokens": "0.00375",
    "outputRatePerKTokens": "0.015",
}
EMBEDDER = {"modelId": "house-embedder", "inputRatePerKTokens": "0.00002", "outputRatePerKTokens": "0"}


def at(number: int, minutes: int, usage: TokenUsage, **changes: Any) -> SpanRecord:
    """A call that ended this many minutes before noon."""
    end = NOON_NS - minutes * 60 * SECOND_NS
    named = {"request_model": "house-llm", "response_model": None, "provider": "vllm"}
    return call(number)._replace(**{**named, "start_ns": end - SECOND_NS, "end_ns": end, "usage": usage, **changes})


STORY = [
    # Writes 8,000 of 10,000 tokens to the prompt cache: 0.006 + 0.03 + 0.0015 = 0.0375; uncached input 0.03, so -0.006.
    at(1, 90, TokenUsage(input_tokens=10_000, cache_write_tokens=8_000, output_tokens=100)),
    # Reads them back: 0.006 + 0.0024 + 0.0015 = 0.0099; saved 0.03 - 0.0084 = 0.0216.
    at(2, 30, TokenUsage(input_tokens=10_000, cached_input_tokens=8_000, output_tokens=100)),
    # Answered from a semantic cache instead: the call would have cost 0.003 + 0.003.
    at(3, 20, TokenUsage(input_tokens=1_000, output_tokens=200), cache_hit="semantic"),
    # What looking that up cost: 5,000 tokens at 0.00002 a thousand.
    at(4, 20, TokenUsage(input_tokens=5_000), operation="embeddings", request_model="house-embedder"),
    # An embedding nobody has a price for costs an unknown amount, not nothing.
    at(5, 20, TokenUsage(input_tokens=5_000), operation="embeddings", request_model="strange-embedder"),
]


@pytest.fixture
async def api(ledger_pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    async with ledger_pool.connection() as connection:
        await register(connection, name="ada", secret="admin-token", scopes=[Scope.ADMIN])
    async with World(ledger_pool).client("admin-token") as client:
        for rate in (MODEL, EMBEDDER):
            await put(client, rate)
        yield client


async def put(api: httpx2.AsyncClient, rate: dict[str, str]) -> None:
    body = json.dumps(rate)
    for name, value in rate.items():
        body = body if name == "modelId" else body.replace(f'"{name}": "{value}"', f'"{name}": {value}')
    assert (await api.put(f"{PREFIX}/valuation-rates", content=body)).status_code == 200


async def got(api: httpx2.AsyncClient, path: str) -> Any:
    answer = await api.get(PREFIX + path)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_float=str, parse_int=str)


async def test_the_return_on_caching_is_what_the_calls_add_up_to(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append(STORY, [], NOON_NS)
    await Reports(ledger_pool).record_start("query_api", datetime(2026, 3, 10, 10, 0, tzinfo=UTC))
    expected = {
        "semanticCacheSavingsUsd": "0.006",
        "promptCacheSavingsUsd": "0.0156",
        "cacheSavingsUsd": "0.0216",
        "embeddingCostUsd": "0.0001",
        "netRoiUsd": "0.0215",
    }
    for path in ("/roi-stats", "/roi-stats?days=1", "/roi-stats?days=1&tz=Asia/Kolkata"):
        stats = await got(api, path)
        assert {name: stats[name] for name in expected} == expected
    await assert_sums_agree(ledger_pool)


async def test_cache_impact_tells_it_hour_by_hour(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append(STORY, [], NOON_NS)
    first, second = await got(api, "/cache-impact?days=1&step=hour")
    assert (first["bucketStart"], first["promptCacheSavingsUsd"], first["netUsd"]) == (
        "2026-03-10T10:00:00Z",
        "-0.006",
        "-0.006",
    )
    assert second == {
        "bucketStart": "2026-03-10T11:00:00Z",
        "cacheHits": "1",
        "cacheableCalls": "2",
        "hitRatio": "0.5",
        "savedTokens": "1200",
        "semanticCacheSavingsUsd": "0.006",
        "promptCacheSavingsUsd": "0.0216",
        "embeddingCostUsd": "0.0001",
        "netUsd": "0.0275",
    }
    (day,) = await got(api, "/cache-impact?days=1")
    assert (day["cacheableCalls"], day["hitRatio"], day["netUsd"]) == ("3", "0.333333333333", "0.0215")


async def test_repricing_moves_the_return_on_caching_too(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append(STORY, [], NOON_NS)
    doubled = {"cachedInputRatePerKTokens": "0.0006", "cacheWriteRatePerKTokens": "0.0075"}
    await put(api, MODEL | doubled | {"inputRatePerKTokens": "0.006", "outputRatePerKTokens": "0.03"})
    body = {"from": "2026-03-10T00:00:00Z", "to": "2026-03-11T00:00:00Z", "apply": True}
    assert (await api.post(f"{PREFIX}/valuation-rates/reprice", json=body)).json()["callsTouched"] == 3
    stats = await got(api, "/roi-stats?days=1")
    assert (stats["semanticCacheSavingsUsd"], stats["promptCacheSavingsUsd"]) == ("0.012", "0.0312")
    assert stats["netRoiUsd"] == "0.0431"
    await assert_sums_agree(ledger_pool)


async def test_a_trace_prints_the_arithmetic_of_each_kind_of_token(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    stated = STORY[0]._replace(reported_cost_pico_usd=40_000_000_000, flags=("inclusiveAssumed",))
    await a_ledger(ledger_pool).append([stated], [], NOON_NS)
    trace = await got(api, f"/traces/{stated.trace_id.hex()}")
    (item,) = trace["items"]
    assert [line["arithmetic"] for line in item["lines"]] == [
        "2000 x 0.003 / 1000 = 0.006",
        "8000 x 0.00375 / 1000 = 0.03",
        "100 x 0.015 / 1000 = 0.0015",
    ]
    told = ("rateVersion", "rateSource", "matchRule", "tier", "flags", "costUsd", "reportedCostUsd")
    assert [item[name] for name in (*told, "reportedDifferenceUsd")] == [
        *("1", "operator", "operator:exact", "standard", ["inclusiveAssumed"]),
        *("0.0375", "0.04", "0.0025"),
    ]


async def test_what_senders_say_stands_beside_what_we_say(api: httpx2.AsyncClient, ledger_pool: Pool) -> None:
    stated = [one._replace(reported_cost_pico_usd=10**10) for one in (STORY[0], STORY[1], STORY[4])]
    await a_ledger(ledger_pool).append([*stated, STORY[2]], [], NOON_NS)
    coverage = await got(api, "/coverage?days=1")
    columns = ("modelId", "calls", "unpricedCalls", "reportedUsd", "reportedForPricedUsd", "costUsd", "differenceUsd")
    assert [[row[name] for name in columns] for row in coverage["reportedCosts"]] == [
        ["house-llm", "2", "0", "0.02", "0.02", "0.0474", "-0.0274"],
        ["strange-embedder", "1", "1", "0.01", "0", "0", "0"],
    ]

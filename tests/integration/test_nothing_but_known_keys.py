"""What is kept of spans is what is known by name (I12): of every recording of a real library, and no prompt of any."""

from typing import Any
from uuid import UUID

import pytest
from corpus_count import RECEIVED_NS, batches
from corpus_loader import scenarios
from erasure_world import places

from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore

PROMPTS = ("What is the weather in Paris?", "You are a helpful weather assistant")
FACTS = {
    "start_ns", "end_ns", "name", "scope", "dialect", "own", "resource", "service", "operation", "provider",
    "request_model", "response_model", "response_id", "usage", "usage_detail", "tool", "agent_run", "cache_hit",
    "service_tier", "batch", "error", "reported_cost_pico_usd", "flags",
}  # fmt: skip
DETAIL = {
    "reverses", "statedProvider", "requestModel", "responseModel", "serviceTier", "batch", "parts", "flags",
    "unpricedReason", "cacheHit", "savedUsage", "source", "matchRule", "tier", "lines", "rates",
}  # fmt: skip
LINE = {"kind", "tokens", "rateFemto", "amountPico"}
TEXT_MAX = 256
APPENDED_AT_ONCE = 400


async def test_every_recording_leaves_known_keys_and_no_text_of_a_prompt(ledger_pool: Pool, database_url: str) -> None:
    raw = b"".join(body for scenario in scenarios() for body in (*scenario.traces, *scenario.logs))
    assert all(raw.count(prompt.encode()) > 50 for prompt in PROMPTS)
    ledger = Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())
    records = [record for scenario in scenarios() for batch in batches(scenario) for record in batch]
    for at in range(0, len(records), APPENDED_AT_ONCE):
        await ledger.append(records[at : at + APPENDED_AT_ONCE], [], RECEIVED_NS)
    async with ledger_pool.connection() as connection:
        facts: list[Any] = await (
            await connection.execute("select facts from spans where facts is not null")
        ).fetchall()
        details: list[Any] = await (
            await connection.execute("select detail from entries where detail is not null")
        ).fetchall()
    assert len(facts) > 1_000
    assert len(details) > 500
    for (kept,) in facts:
        assert set(kept) <= FACTS
        for place in ("own", "resource"):
            assert len(kept.get(place, [])) in (0, 6)
            assert all(said is None or isinstance(said, str) for said in kept.get(place, []))
        assert len(kept.get("usage", [])) <= len(TokenUsage._fields)
        assert all(count is None or isinstance(count, int) for count in kept.get("usage", []))
    for (kept,) in details:
        assert set(kept) <= DETAIL
        assert all(set(line) == LINE for line in kept.get("lines", []))
    texts = {text for (kept,) in (*facts, *details) for text in _texts(kept)}
    assert max(map(len, texts)) <= TEXT_MAX
    assert not [text for text in texts if "\n" in text or any(prompt in text for prompt in PROMPTS)]
    assert places(database_url, PROMPTS) == {}


def _texts(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return [text for value in values for text in _texts(value)]


@pytest.mark.parametrize("prompt", PROMPTS)
async def test_the_search_would_find_a_prompt(ledger_pool: Pool, database_url: str, prompt: str) -> None:
    async with ledger_pool.connection() as connection:
        await connection.execute(
            "insert into suspense (tenant, reason, detail, body) values ('', 'bad_usage', '', %s)",
            [f"x{prompt}".encode()],
        )
    assert places(database_url, [prompt]) == {"public.suspense": 1}

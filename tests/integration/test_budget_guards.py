"""The example guards, really run: an OpenAI client and a hook of the LiteLLM proxy, asking a real API over HTTP."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from budget_world import NOW, a_budget, a_ledger, dollar_rates, ns, spent
from model_server_thread import model_server
from openai import OpenAI

from doors.settings_values import Address
from examples.budget_guard import OverBudget, guard
from examples.model_server import ModelServer
from finops.access import Scope
from finops.budgets import BudgetScope, Dimension, Mode
from ledger.budgets import BudgetStore
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.tenants import speaking_for
from ledger.tokens import TokenStore, register
from query_api.application import application
from query_api.auth import Gate
from query_api.budget_routes import budget_rows
from query_api.budget_wiring import budget_handlers
from query_api.server import HttpServer
from query_api.settings import read_settings

ASK: list[Any] = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
async def api(ledger_pool: Pool, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """An API that listens; ann has used up her budget, her team and everybody else have not."""
    await dollar_rates(ledger_pool)
    await a_ledger(ledger_pool).append([spent(1, 10, org="default", user="ann")], [], ns(NOW))
    scope = BudgetScope(agent=("clerk",))
    await BudgetStore(ledger_pool).add(a_budget(10, each=Dimension.USER, scope=scope, mode=Mode.ENFORCE), 10)
    async with ledger_pool.connection() as connection:
        await register(connection, name="guard", secret="guard", scopes=[Scope.DECIDE])
    settings = read_settings({"FINOPS_DATABASE_URL": "postgresql://nowhere/finops"})
    rows = budget_rows("/api/v1/finops", budget_handlers(settings, ledger_pool, ledger_pool, RateStore()))
    server = HttpServer(
        application(rows, Gate(TokenStore(ledger_pool), lambda: 0.0), lambda: NOW, speaking_for),
        Address("127.0.0.1", 0),
        10,
    )
    url = f"http://{await server.start()}"
    monkeypatch.setenv("FINOPS_URL", url)
    monkeypatch.setenv("FINOPS_TOKEN", "guard")
    yield url
    await server.stop(5)


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with model_server("test") as running:
        yield running


def ask(models: ModelServer, **caller: str) -> str:
    """One call through the guard; what became of it."""
    with OpenAI(base_url=f"{models.url}/v1", api_key="tester") as client:
        guarded = guard(client, **caller)
        try:
            guarded.embeddings.create(model="text-embedding-3-small", input=["x"])
            guarded.chat.completions.create(model="gpt-4o-mini", messages=ASK)
        except OverBudget as refused:
            return str(refused)
    return "made"


def calls(models: ModelServer) -> int:
    told: Any = models.bill.as_json()["calls"]
    return len(told)


async def test_the_guard_lets_calls_through_until_the_budget_denies_them(api: str, models: ModelServer) -> None:
    assert await asyncio.to_thread(ask, models, agentId="clerk", userId="bob") == "made"
    made = calls(models)
    refused = await asyncio.to_thread(ask, models, agentId="clerk", userId="ann")
    assert refused == "limitReached; starts anew at 2026-11-21T00:00:00Z"
    assert calls(models) == made > 0


async def test_where_nobody_answers_the_guard_is_open_unless_told_otherwise(
    api: str, models: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FINOPS_URL", "http://127.0.0.1:9")
    assert await asyncio.to_thread(ask, models, agentId="clerk", userId="ann") == "made"
    monkeypatch.setenv("FINOPS_FAIL_CLOSED", "1")
    assert "cannot be asked" in await asyncio.to_thread(ask, models, agentId="clerk", userId="bob")


@pytest.mark.filterwarnings("ignore")  # what the proxy imports warns of is not ours
async def test_the_hook_of_the_litellm_proxy_refuses_what_the_budget_denies(
    api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = "litellm with its proxy is not installed: pip install 'litellm[proxy]' to test the hook"
    litellm = pytest.importorskip("litellm", reason=reason)
    pytest.importorskip("fastapi", reason=reason)
    caching = importlib.import_module("litellm.caching.caching")
    proxy = importlib.import_module("litellm.proxy.utils")
    key_of = importlib.import_module("litellm.proxy._types").UserAPIKeyAuth
    hook = importlib.reload(importlib.import_module("examples.litellm_budget_hook"))
    monkeypatch.setattr(litellm, "callbacks", [hook.ask_budgets])
    logging = proxy.ProxyLogging(user_api_key_cache=caching.DualCache())

    async def ask(user: str) -> Any:
        """As the proxy asks its hooks before it calls a model."""
        data = {"model": "gpt-4o-mini", "messages": ASK, "user": user}
        return await logging.pre_call_hook(
            user_api_key_dict=key_of(api_key="sk-x", key_alias="clerk"), data=data, call_type="completion"
        )

    assert (await ask("bob"))["model"] == "gpt-4o-mini"
    with pytest.raises(Exception, match="over budget: limitReached") as refused:
        await ask("ann")
    assert getattr(refused.value, "status_code", None) == 429

"""Operator rates in the database: versions, epochs, notifications and the books they make."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, Unpriced, price
from finops.rate_listing import RateFilters, rate_fields
from finops.rate_versions import unix_ns
from finops.rates import RatePut, stated_from_k_tokens
from finops.usage import token_usage
from ledger.pool import Connection, Pool
from ledger.rates import RateStore

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def statement(usd_per_k: str, model_id: str = "gpt-4o", **other: object) -> RatePut:
    stated = stated_from_k_tokens({"inputRatePerKTokens": usd_per_k, "outputRatePerKTokens": "0.01"})
    return RatePut(model_id=model_id, stated=stated, author="ada", reason="contract", **other)  # type: ignore[arg-type]


def call(model: str = "gpt-4o", org: str = "acme", at: datetime = NOW, provider: str = "openai") -> CallFacts:
    return CallFacts(org, provider, model, None, "chat", token_usage(input_tokens=1000), unix_ns(at))


async def cost_usd(store: RateStore, pool: Pool, facts: CallFacts) -> Decimal | None:
    async with pool.connection() as connection:
        priced = price(facts, await store.load_book(connection))
    return Decimal(priced.cost_pico).scaleb(-12) if isinstance(priced, Priced) else None


async def test_a_rate_holds_for_every_call_priced_after_it_whenever_the_call_started(ledger_pool: Pool) -> None:
    here, replica = RateStore(), RateStore()
    assert await cost_usd(replica, ledger_pool, call()) == Decimal("0.0025")
    async with ledger_pool.connection() as connection:
        stored = await here.put(connection, statement("0.005"), NOW)
    assert (stored.version, stored.effective_from, stored.author) == (1, NOW, "ada")
    for store in (here, replica):
        assert await cost_usd(store, ledger_pool, call(at=NOW - HOUR)) == Decimal("0.005")
        assert await cost_usd(store, ledger_pool, call(at=NOW + HOUR)) == Decimal("0.005")


async def test_a_dated_rate_leaves_earlier_calls_as_they_were_and_a_scheduled_one_waits(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection:
        await store.put(connection, statement("0.003", effective_from=NOW + 24 * HOUR), NOW)
        await store.put(connection, statement("0.002"), NOW + HOUR)
        await store.put(connection, statement("0.001", effective_from=NOW - 24 * HOUR), NOW + 2 * HOUR)
    costs = [await cost_usd(store, ledger_pool, call(at=NOW + hours * HOUR)) for hours in (-25, -23, 3, 23, 25)]
    assert costs == [Decimal(usd) for usd in ("0.002", "0.001", "0.001", "0.001", "0.003")]


async def test_an_ended_rate_gives_way_to_the_catalogue_from_then_on(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection:
        await store.put(connection, statement("0.005"), NOW)
        ended = await store.end(connection, NOW + HOUR, model_id="GPT-4o", author="ada", reason="contract over")
        again = await store.end(connection, NOW + HOUR, model_id="gpt-4o")
    assert ended is not None
    assert ended.ended
    assert again is None
    assert await cost_usd(store, ledger_pool, call(at=NOW + 2 * HOUR)) == Decimal("0.0025")
    assert await cost_usd(store, ledger_pool, call(at=NOW)) == Decimal("0.005")


async def test_an_unknown_model_is_unpriced_until_a_rate_for_it_appears(ledger_pool: Pool) -> None:
    store = RateStore()
    facts = call("llama3.2:3b", provider="ollama")
    assert await cost_usd(store, ledger_pool, facts) is None
    async with ledger_pool.connection() as connection:
        await store.put(connection, statement("0", "llama3.2:3b", provider="self_hosted"), NOW)
    assert await cost_usd(store, ledger_pool, facts) == 0


async def test_an_organisations_own_rate_comes_before_the_rate_for_all(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection:
        await store.put(connection, statement("0.004", org_id="acme"), NOW)
        await store.put(connection, statement("0.006"), NOW)
    assert await cost_usd(store, ledger_pool, call(org="acme")) == Decimal("0.004")
    assert await cost_usd(store, ledger_pool, call(org="beta")) == Decimal("0.006")


async def test_what_is_stored_is_what_was_said_to_the_last_digit(ledger_pool: Pool) -> None:
    digits: dict[str, Decimal | int | str | None] = {
        "inputRatePerKTokens": Decimal("0.000000000001"),
        "outputRatePerKTokens": "0.123456789012",
        "cachedInputRatePerKTokens": 0,
        "cacheWriteRatePerKTokens": "1000.5",
    }
    stated = stated_from_k_tokens(digits)
    async with ledger_pool.connection() as connection:
        await RateStore().put(connection, RatePut(model_id="precise", stated=stated), NOW)
        (row,) = await RateStore().history(connection, RateFilters(models=("Precise",)))
    assert row.stated == stated
    fields = rate_fields(row.stated)
    assert {name: fields[name] for name in digits} == {name: Decimal(value or 0) for name, value in digits.items()}
    assert fields["reasoningRatePerKTokens"] is None


async def test_many_rates_are_stored_together_and_only_where_they_say_something_new(ledger_pool: Pool) -> None:
    store = RateStore()
    rates = [statement("0.001", f"model-{number}") for number in range(50)]
    async with ledger_pool.connection() as connection:
        first = await store.put_all(connection, rates, NOW)
        again = await store.put_all(connection, [*rates[:49], statement("0.002", "model-49")], NOW + HOUR)
    assert (len(first), [row.model_id for row in again]) == (50, ["model-49"])


async def test_a_second_source_fills_gaps_and_overrides_nothing(ledger_pool: Pool) -> None:
    store = RateStore()
    rates = [replace(statement("9", name, provider="openai"), source="litellm") for name in ("gpt-4o", "gpt-99")]
    async with ledger_pool.connection() as connection:
        await store.put_all(connection, rates, NOW)
    assert await cost_usd(store, ledger_pool, call("gpt-4o")) == Decimal("0.0025")
    assert await cost_usd(store, ledger_pool, call("gpt-99")) == 9


async def test_history_keeps_every_version_and_pages_back(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection:
        for number in range(1, 6):
            await store.put(connection, statement(f"0.00{number}"), NOW + number * HOUR)
        first = await store.history(connection, RateFilters(models=("gpt-4o",)), limit=3)
        rest = await store.history(connection, RateFilters(models=("gpt-4o",)), limit=3, before=first[-1].version)
    assert [row.version for row in (*first, *rest)] == [5, 4, 3, 2, 1]
    assert first[0].stated.input == 5_000_000_000


async def test_rows_of_rates_can_be_neither_changed_nor_removed(ledger_pool: Pool) -> None:
    async with ledger_pool.connection() as connection:
        await RateStore().put(connection, statement("0.005"), NOW)
    for tampering in ("update rates set input_femto = 1", "delete from rates"):
        with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
            async with ledger_pool.connection() as connection:
                await connection.execute(tampering)


async def test_concurrent_changes_get_consecutive_versions_and_a_slow_one_is_not_overtaken(ledger_pool: Pool) -> None:
    store = RateStore()

    async def put(number: int) -> int:
        async with ledger_pool.connection() as connection:
            return (await store.put(connection, statement("0.001", f"model-{number}"), NOW)).version

    versions = await asyncio.gather(*(put(number) for number in range(20)))
    assert sorted(versions) == list(range(1, 21))
    async with ledger_pool.connection() as connection:
        assert await store.current_epoch(connection) == 20
        book = await store.load_book(connection)
    assert book.epoch == 20
    assert sum(1 for _ in book.operator_rates_at(unix_ns(NOW))) == 20


async def test_a_replica_that_hears_nothing_prices_with_every_change_that_was_answered(ledger_pool: Pool) -> None:
    stores = [RateStore(), RateStore()]
    for number in range(1, 201):
        async with ledger_pool.connection() as connection:
            await stores[number % 2].put(connection, statement(f"0.{number:04}"), NOW + number * HOUR)
        assert await cost_usd(stores[1 - number % 2], ledger_pool, call()) == Decimal(f"0.{number:04}")


async def test_a_provider_may_be_named_as_senders_name_it(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection:
        stored = await store.put(connection, statement("0.005", provider="azure"), NOW)
    assert stored.provider == "azure.ai.openai"
    assert await cost_usd(store, ledger_pool, call(provider="azure_openai")) == Decimal("0.005")
    assert await cost_usd(store, ledger_pool, call(provider="openai")) == Decimal("0.0025")


async def test_a_change_that_is_rolled_back_leaves_no_trace(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection, connection.transaction(force_rollback=True):
        await store.put(connection, statement("0.005"), NOW)
    assert await cost_usd(store, ledger_pool, call()) == Decimal("0.0025")


async def test_the_list_shows_operator_rates_first_and_can_be_narrowed(ledger_pool: Pool) -> None:
    store = RateStore()
    async with ledger_pool.connection() as connection:
        azure = RateFilters(models=("gpt-4o-2024-08-06",), providers=("azure",))
        catalogue = await store.effective(connection, azure, NOW)
        await store.put(connection, statement("0.005"), NOW)
        everything = await store.effective(connection, RateFilters(), NOW)
        own = await store.effective(connection, RateFilters(sources=("operator",)), NOW)
    assert len(everything) > 2000
    assert (everything[0].source, everything[0].provider, everything[0].model_id) == ("operator", "", "gpt-4o")
    assert [row.model_id for row in own] == ["gpt-4o"]
    ((provider, fields),) = [(row.provider, rate_fields(row.stated)) for row in catalogue]
    assert provider == "azure.ai.openai"
    assert (fields["inputRatePerKTokens"], fields["outputRatePerKTokens"]) == (Decimal("0.0025"), Decimal("0.01"))


async def test_the_list_of_rates_in_use_has_the_models_of_the_ledger_only(ledger_pool: Pool) -> None:
    store = RateStore()
    used = [("openai", "gpt-4o-mini"), ("openai", "gpt-4o-2024-08-06"), ("self_hosted", "llama3.2:3b")]
    async with ledger_pool.connection() as connection:
        for provider, model in used:
            await insert_usage(connection, provider, model)
        await store.put(connection, statement("0.005"), NOW)
        rows = await store.effective(connection, RateFilters(in_use=True), NOW)
    assert [(row.source, row.provider, row.model_id) for row in rows] == [
        ("operator", "openai", "gpt-4o-2024-08-06"),
        ("catalogue", "openai", "gpt-4o-mini"),
    ]


async def insert_usage(connection: Connection, provider: str, model: str) -> None:
    await connection.execute(
        "insert into usage_1d select '2026-11-20', 'acme', '', 'a', '', '', %s, %s, 'chat', 1, 0, 0, 1, 0, 0, 0, 0, 0,"
        " 0, 0, 0, 0, 0, 0, 0",
        (provider, model),
    )


async def test_a_deployment_is_priced_as_the_model_the_operator_says_it_runs(ledger_pool: Pool) -> None:
    store = RateStore()
    facts = call("prod-chat", provider="azure.ai.openai")
    assert await cost_usd(store, ledger_pool, facts) is None
    async with ledger_pool.connection() as connection:
        await store.put_deployment(
            connection, NOW, provider="azure.ai.openai", deployment="Prod-Chat", model_id="gpt-4o-mini"
        )
        priced = price(facts, await store.load_book(connection))
    assert isinstance(priced, Priced)
    assert (priced.model_id, priced.flags) == ("gpt-4o-mini", ("deployment",))
    other = price(facts._replace(provider="openai"), await _book(store, ledger_pool))
    assert isinstance(other, Unpriced)


async def _book(store: RateStore, pool: Pool) -> PriceBook:
    async with pool.connection() as connection:
        return await store.load_book(connection)


async def test_listeners_hear_every_change_and_what_they_missed_while_cut_off(
    ledger_pool: Pool, database_url: str
) -> None:
    store = RateStore()

    async def connect() -> Connection:
        return await psycopg.AsyncConnection.connect(database_url, autocommit=True)

    epochs = store.listen(connect, retry_seconds=0.01)
    assert await anext(epochs) == 0
    async with ledger_pool.connection() as connection:
        await store.put(connection, statement("0.005"), NOW)
    assert await anext(epochs) == 1
    async with ledger_pool.connection() as connection:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and query like 'listen%'"
        )
        await store.put(connection, statement("0.006"), NOW)
    seen = 1
    while seen < 2:
        seen = await anext(epochs)
    await epochs.aclose()  # type: ignore[attr-defined]

"""History repriced on purpose: previews that touch nothing, corrections that every sum follows, runs that survive."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from repricing_world import (
    HOUSE_MODEL,
    NOW,
    NOW_NS,
    a_ledger,
    assert_sums_agree,
    call,
    cost_pico,
    ledger_state,
    put,
    rows,
    statement,
    strange_call,
)

from finops.entries import facts_of_entry
from finops.pricing import price
from finops.reprice import repriced
from finops.reprice_requests import (
    AS_BILLED,
    AS_KNOWN_THEN,
    RATE_VERSION,
    RATES,
    PreviewTooLarge,
    PriceSource,
    RepriceRequest,
    RepriceRun,
    Scope,
)
from ledger import mapping
from ledger.audit import AuditTrail, first_broken_link
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.reprice import Repricing

EVERYTHING = RepriceRequest(start=NOW - timedelta(days=1), end=NOW + timedelta(days=1))
CALLS = 25


@pytest.fixture
def store() -> RateStore:
    return RateStore()


@pytest.fixture
def repricing(ledger_pool: Pool, store: RateStore, monkeypatch: pytest.MonkeyPatch) -> Repricing:
    monkeypatch.setattr("ledger.corrections.read_page.__defaults__", (7,))
    return Repricing(ledger_pool, store)


async def applied(repricing: Repricing, request: RepriceRequest) -> RepriceRun:
    run_id = uuid4()
    await repricing.start(run_id, request, NOW, actor="ada", reason="new contract")
    run = await repricing.advance(run_id, NOW)
    assert run is not None
    assert run.finished_at == NOW
    return run


async def filled(pool: Pool, store: RateStore) -> None:
    """25 calls of three organisations, priced by the catalogue."""
    batch = [call(number, org=f"org-{number % 3}", minutes_ago=number) for number in range(1, CALLS + 1)]
    await a_ledger(pool, store).append(batch, [], NOW_NS)


async def test_a_preview_touches_nothing_and_applying_it_differs_by_nothing(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    await filled(ledger_pool, store)
    await put(ledger_pool, store, statement("0.000151000003"))
    before, untouched = await cost_pico(ledger_pool), await ledger_state(ledger_pool)
    preview = await repricing.preview(EVERYTHING, NOW)
    assert await ledger_state(ledger_pool) == untouched
    run = await applied(repricing, EVERYTHING)
    assert run.change == preview.total
    assert (run.change.calls, run.change.touched, run.change.before_pico) == (CALLS, CALLS, before)
    assert await cost_pico(ledger_pool) - before == preview.total.after_pico - preview.total.before_pico != 0
    await assert_sums_agree(ledger_pool)
    assert [(group.provider, group.model_id) for group in preview.groups] == [("openai", "gpt-4o-mini")]


async def test_applying_again_appends_nothing(repricing: Repricing, ledger_pool: Pool, store: RateStore) -> None:
    await filled(ledger_pool, store)
    await put(ledger_pool, store, statement("0.0002"))
    first = await applied(repricing, EVERYTHING)
    entries = await rows(ledger_pool, "select * from entries order by 1, 2, 3, 4, 5")
    assert await repricing.advance(first.run_id, NOW) == first
    again = await applied(repricing, EVERYTHING)
    assert (again.change.calls, again.change.touched) == (CALLS, 0)
    assert await rows(ledger_pool, "select * from entries order by 1, 2, 3, 4, 5") == entries


async def test_a_run_cut_off_goes_on_where_it_was(repricing: Repricing, ledger_pool: Pool, store: RateStore) -> None:
    await filled(ledger_pool, store)
    await put(ledger_pool, store, statement("0.0002"))
    whole = (await repricing.preview(EVERYTHING, NOW)).total
    run_id = uuid4()
    await repricing.start(run_id, EVERYTHING, NOW, actor="ada")
    part = await repricing.advance(run_id, NOW, pages=2)
    assert part is not None
    assert part.finished_at is None
    assert 0 < part.change.touched < CALLS
    await assert_sums_agree(ledger_pool)
    elsewhere = Repricing(ledger_pool, RateStore())
    rest = await elsewhere.advance(run_id, NOW)
    assert rest is not None
    assert rest.change == whole
    assert (await repricing.preview(EVERYTHING, NOW)).total.touched == 0
    assert await elsewhere.advance(UUID(int=7), NOW) is None


async def test_only_what_was_asked_for_changes(repricing: Repricing, ledger_pool: Pool, store: RateStore) -> None:
    await filled(ledger_pool, store)
    await put(ledger_pool, store, statement("0.0002"))
    request = replace(EVERYTHING, scope=Scope(orgs=("org-1",)), start=NOW - timedelta(minutes=10))
    run = await applied(repricing, request)
    assert run.change.touched == len([number for number in range(1, 11) if number % 3 == 1])
    changed = await rows(
        ledger_pool, "select distinct org_id, event_time >= '2026-11-20 11:50Z' from entries where revision > 1"
    )
    assert changed == [("org-1", True)]
    for scope in (
        Scope(agents=("nobody",)),
        Scope(models=("gpt-4o",)),
        Scope(providers=("azure",)),
        Scope(environments=("x",)),
    ):
        assert (await repricing.preview(replace(EVERYTHING, scope=scope), NOW)).total.calls == 0


async def test_what_was_billed_what_was_known_and_other_rates_are_three_questions(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    await put(ledger_pool, store, statement("0.0003"), NOW - timedelta(hours=1))
    await a_ledger(ledger_pool, store).append([call(1, minutes_ago=90), call(2, minutes_ago=30)], [], NOW_NS)
    await put(ledger_pool, store, statement("0.0007"), NOW - timedelta(minutes=10))
    await applied(repricing, EVERYTHING)

    async def after(source: PriceSource) -> int:
        return (await repricing.preview(replace(EVERYTHING, source=source), NOW)).total.after_pico

    def at_input(rate_pico: int, *numbers: int) -> int:
        return sum((1000 + number) * rate_pico + 10 * 10 * rate_pico for number in numbers)

    listed = 601 * 150_000 + 400 * 75_000 + 10 * 600_000
    assert await cost_pico(ledger_pool) == at_input(700_000, 1, 2)
    assert await after(PriceSource(AS_BILLED)) == at_input(300_000, 1, 2)
    assert await after(PriceSource(AS_KNOWN_THEN)) == listed + at_input(300_000, 2)
    assert await after(PriceSource(RATE_VERSION, rate_version=1)) == at_input(300_000, 1, 2)
    assert await after(PriceSource(RATES, rates=(statement("0.001"),))) == at_input(1_000_000, 1, 2)
    undone = await applied(repricing, replace(EVERYTHING, source=PriceSource(AS_BILLED)))
    assert undone.change.after_pico == await cost_pico(ledger_pool) == at_input(300_000, 1, 2)
    await assert_sums_agree(ledger_pool)


async def test_a_collector_that_remembers_the_trace_goes_on_from_the_correction(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    collector = a_ledger(ledger_pool, store)
    await collector.append([call(1, parent_id=(9).to_bytes(8))], [], NOW_NS)
    await put(ledger_pool, store, statement("0.0002"))
    await applied(repricing, EVERYTHING)
    cost = await cost_pico(ledger_pool)
    parent = call(9, trace_id=(1).to_bytes(16), usage=None, usage_detail=0, operation="invoke_agent")
    late = parent._replace(
        span_class=type(parent.span_class).AGENT, own=parent.own._replace(agent="late"), agent_run="late"
    )
    await collector.append([late], [], NOW_NS)
    await collector.append([call(1, parent_id=(9).to_bytes(8))], [], NOW_NS)
    assert await cost_pico(ledger_pool) == cost
    await assert_sums_agree(ledger_pool)


async def test_calls_are_priced_again_though_their_spans_are_gone(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    await filled(ledger_pool, store)
    await put(ledger_pool, store, statement("0.0002"))
    async with ledger_pool.connection() as connection:
        await connection.execute("delete from spans")
    assert (await applied(repricing, EVERYTHING)).change.touched == CALLS
    await assert_sums_agree(ledger_pool)


async def test_an_answer_from_the_cache_saves_what_the_call_would_cost_at_the_new_rates(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    await a_ledger(ledger_pool, store).append([call(1, cache_hit="semantic")], [], NOW_NS)
    await put(ledger_pool, store, statement("0.0002"))
    run = await applied(repricing, EVERYTHING)
    saved = 1001 * 200_000 + 10 * 2_000_000
    assert (run.change.calls, run.change.touched, run.change.savings_after_pico) == (0, 1, saved)
    assert await rows(ledger_pool, "select sum(semantic_savings_pico), sum(cache_hits) from usage_1d") == [(saved, 1)]


async def test_calls_without_usage_stay_as_they_are(repricing: Repricing, ledger_pool: Pool, store: RateStore) -> None:
    await a_ledger(ledger_pool, store).append([call(1, usage=None, usage_detail=0)], [], NOW_NS)
    await put(ledger_pool, store, statement("0.0002"))
    change = (await applied(repricing, EVERYTHING)).change
    assert (change.calls, change.touched, change.unpriced_after) == (1, 0, 1)


async def test_a_preview_that_would_never_end_is_refused(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    await filled(ledger_pool, store)
    with pytest.raises(PreviewTooLarge):
        await repricing.preview(EVERYTHING, NOW, calls_max=10)


async def test_a_run_is_in_the_audit_trail_from_its_start_to_its_end(
    repricing: Repricing, ledger_pool: Pool, store: RateStore
) -> None:
    await filled(ledger_pool, store)
    await put(ledger_pool, store, statement("0.0002"))
    run = await applied(repricing, EVERYTHING)
    trail = await AuditTrail(ledger_pool).page(limit=10, before=None, orgs=None, actions=None)
    assert [(row.action, row.actor, row.reason) for row in trail] == [
        ("reprice.finish", "ada", "new contract"),
        ("reprice.start", "ada", "new contract"),
        ("rate.put", "ada", "contract"),
    ]
    assert trail[0].subject == str(run.run_id)
    async with ledger_pool.connection() as connection:
        assert await first_broken_link(connection) is None


async def test_a_corrected_entry_is_told_like_one_priced_so_at_first(ledger_pool: Pool, store: RateStore) -> None:
    await a_ledger(ledger_pool, store).append([call(1), strange_call(2)], [], NOW_NS)
    for model in ("gpt-4o-mini", HOUSE_MODEL):
        await put(ledger_pool, store, statement("0.0002", model))
    async with ledger_pool.connection() as connection:
        book = await store.load_book(connection)
        await connection.execute("create temporary table once as select * from entries")
        columns = ", ".join(mapping.ENTRY_COLUMNS)
        found = await (await connection.execute(f"select {columns} from once order by span_id")).fetchall()
    for old in map(mapping.entry_from, found):
        new = repriced(old, price(facts_of_entry(old), book), "")
        assert new.measures.cost_pico == (1000 + old.span_id[-1]) * 200_000 + 10 * 2_000_000
        assert new.detail is not None
        assert set(new.detail) - {"repricedBy"} >= {"lines", "source", "matchRule", "tier", "startNs"}
        assert "unpricedReason" not in new.detail
        assert facts_of_entry(new) == facts_of_entry(old)
        assert repriced(new, price(facts_of_entry(new), book), "") is new

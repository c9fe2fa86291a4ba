"""Every report over a small ledger, against sums done by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from finops.coverage import Fate, MoneyFate, fate_of_money, fate_of_spans
from finops.periods import trailing_days
from finops.reports import NO_FILTERS, AgentDay, Filters, Totals
from finops.roi import CacheMoney
from ledger.baselines import BaselineStore
from ledger.coverage import CoverageReports
from ledger.pool import Pool
from ledger.reports import Reports
from ledger.sessions import SessionReports

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
WEEK = trailing_days(7, "UTC", NOW)
MILLI = 10**9
"""A thousandth of a dollar in pico-USD."""


@pytest.fixture
async def pool(ledger_pool: Pool, keeps_rollups: bool) -> Pool:
    text = (Path(__file__).parents[1] / "testdata" / "reports" / "ledger.sql").read_text("utf-8")
    async with ledger_pool.connection() as connection:
        for statement in text.split(";\n\n"):
            if keeps_rollups or not statement.startswith("insert into usage_"):
                await connection.execute(statement)
    return ledger_pool


async def test_trends_sum_each_agents_day_and_put_the_dearest_first(pool: Pool) -> None:
    stated = await Reports(pool).trends(WEEK, NO_FILTERS)
    rows = [(row.day.isoformat(), row.org_id, row.agent_id, row.totals.cost_pico) for row in stated.answer]
    assert rows == [
        ("2026-03-08", "acme", "support_agent", 400 * MILLI),
        ("2026-03-09", "acme", "support_agent", 250 * MILLI),
        ("2026-03-10", "acme", "finance_agent", 1700 * MILLI),
        ("2026-03-10", "acme", "search/agent ü%", 20_000_000),
        ("2026-03-10", "beta", "finance_agent", None),
    ]
    finance = stated.answer[2]
    assert finance == AgentDay(
        date(2026, 3, 10),
        "acme",
        "finance_agent",
        Totals(3, 106_000, 400, 100, 8_100, 50, 1700 * MILLI, 0),
        1,
        1,
    )


async def test_a_day_is_the_day_of_the_asked_time_zone(pool: Pool) -> None:
    berlin = await Reports(pool).trends(trailing_days(7, "Europe/Berlin", NOW), Filters(agents=("support_agent",)))
    assert [(row.day.isoformat(), row.totals.cost_pico) for row in berlin.answer] == [
        ("2026-03-08", 400 * MILLI),
        ("2026-03-10", 250 * MILLI),
    ]
    kathmandu = await Reports(pool).trends(trailing_days(1, "Asia/Kathmandu", NOW), Filters(orgs=("acme",)))
    assert sum(row.totals.cost_pico or 0 for row in kathmandu.answer) == 250 * MILLI + 1700 * MILLI + 20_000_000


async def test_one_day_leaves_yesterday_out(pool: Pool) -> None:
    stated = await Reports(pool).allocations(trailing_days(1, "UTC", NOW), Filters(orgs=("acme",)))
    assert sum(row.totals.cost_pico or 0 for row in stated.answer) == 1700 * MILLI + 20_000_000


async def test_allocations_tell_each_agents_share_of_what_is_priced(pool: Pool) -> None:
    stated = await Reports(pool).allocations(WEEK, NO_FILTERS)
    rows = {(row.org_id, row.agent_id): row for row in stated.answer}
    assert next(iter(rows)) == ("acme", "finance_agent")
    assert rows["acme", "support_agent"].totals.cost_pico == 650 * MILLI
    unpriced = rows["beta", "finance_agent"]
    assert (unpriced.totals.cost_pico, unpriced.totals.unpriced_calls, unpriced.share) == (None, 1, None)
    assert sum(row.share or 0 for row in stated.answer) == pytest.approx(Decimal(1), abs=Decimal("1e-10"))


async def test_models_leave_agent_runs_and_tool_calls_out(pool: Pool) -> None:
    stated = await Reports(pool).models(WEEK, NO_FILTERS)
    assert [(row.provider, row.model_id, row.totals.calls, row.totals.cost_pico) for row in stated.answer] == [
        ("openai", "gpt-4o", 3, 1700 * MILLI),
        ("openai", "gpt-4o-mini", 2, 650 * MILLI),
        ("openai", "text-embedding-3-small", 1, 20_000_000),
        ("acme-labs", "mystery", 1, None),
    ]


FILTERED = [
    (Filters(orgs=("acme",)), 2350 * MILLI + 20_000_000),
    (Filters(orgs=("nobody",)), 0),
    (Filters(agents=("support_agent", "search/agent ü%")), 650 * MILLI + 20_000_000),
    (Filters(models=("gpt-4o",)), 1700 * MILLI),
    (Filters(environments=("test",)), 400 * MILLI),
    (Filters(environments=("",)), 0),
    (Filters(models=("gpt-4o-mini",), environments=("prod",)), 250 * MILLI),
]


async def test_filters_hold_together(pool: Pool) -> None:
    for filters, cost_pico in FILTERED:
        for zone in ("UTC", "Asia/Kathmandu"):
            stated = await Reports(pool).models(trailing_days(7, zone, NOW), filters)
            assert sum(row.totals.cost_pico or 0 for row in stated.answer) == cost_pico, (filters, zone)


async def test_burn_rates_hold_the_window_and_the_baseline(pool: Pool) -> None:
    stated = await SessionReports(pool).active(NOW, 600, 1800, NO_FILTERS)
    assert [(row.session_id, row.spend_pico, row.calls) for row in stated.answer.sessions] == [
        ("s-1", 700 * MILLI, 2),
        ("s-4", 20_000_000, 1),
        ("s-3", None, 1),
    ]
    assert stated.answer.active == 3
    first = stated.answer.sessions[0]
    assert first.first_seen_at == datetime(2026, 3, 10, 11, 40, tzinfo=UTC)
    assert first.last_seen_at == datetime(2026, 3, 10, 11, 58, tzinfo=UTC)
    assert first.baseline_pico_per_hour == 500 * MILLI


async def test_a_session_leaves_the_window_and_then_the_list(pool: Pool) -> None:
    later = datetime(2026, 3, 10, 12, 20, tzinfo=UTC)
    stated = await SessionReports(pool).active(later, 600, 1800, Filters(orgs=("acme",)))
    assert [(row.session_id, row.spend_pico, row.calls) for row in stated.answer.sessions] == [
        ("s-4", 0, 0),
        ("s-1", 0, 0),
    ]
    much_later = datetime(2026, 3, 10, 13, 0, tzinfo=UTC)
    assert (await SessionReports(pool).active(much_later, 600, 1800, NO_FILTERS)).answer == ([], 0)


async def test_burn_rates_by_model_count_that_models_calls_only(pool: Pool) -> None:
    sessions = SessionReports(pool)
    by_model = await sessions.active(NOW, 600, 1800, Filters(models=("gpt-4o",)))
    assert [(row.session_id, row.spend_pico, row.calls) for row in by_model.answer.sessions] == [
        ("s-1", 700 * MILLI, 2)
    ]
    assert (await sessions.active(NOW, 600, 1800, Filters(environments=("test",)))).answer == ([], 0)


async def test_an_organisations_own_baseline_wins(pool: Pool) -> None:
    store = BaselineStore(pool)
    await store.put("acme", "finance_agent", Decimal("0.25"), "test")
    stated = await SessionReports(pool).active(NOW, 600, 1800, NO_FILTERS)
    baselines = {row.org_id + row.session_id: row.baseline_pico_per_hour for row in stated.answer.sessions}
    assert baselines == {"acmes-1": 250 * MILLI, "acmes-4": None, "betas-3": 500 * MILLI}


async def test_a_baseline_is_put_listed_and_deleted_exactly(pool: Pool) -> None:
    store = BaselineStore(pool)
    stored = await store.put("", "a/b c%2F", Decimal("0.000000000001"), "me")
    assert (stored.agent_id, stored.baseline_usd_per_hour) == ("a/b c%2F", Decimal("1E-12"))
    assert [row.agent_id for row in await store.baselines(NO_FILTERS)] == ["a/b c%2F", "finance_agent"]
    assert await store.delete("", "a/b c%2F", "ada", NOW)
    assert not await store.delete("", "a/b c%2F", "ada", NOW)


async def test_cache_impact_by_day_and_by_hour(pool: Pool) -> None:
    reports = Reports(pool)
    by_day = (await reports.cache_impact(WEEK, NO_FILTERS, hourly=False)).answer
    today = by_day[-1]
    assert (today.bucket_start, today.cache_hits, today.cacheable_calls, today.saved_tokens) == (
        datetime(2026, 3, 10, tzinfo=UTC),
        1,
        5,
        300,
    )
    assert today.money == CacheMoney(2 * MILLI, 500_000_000, 20_000_000)
    assert today.money.net_pico == 2 * MILLI + 500_000_000 - 20_000_000
    by_hour = (await reports.cache_impact(WEEK, NO_FILTERS, hourly=True)).answer
    assert [row.bucket_start.hour for row in by_hour if row.bucket_start.day == 10] == [10, 11]


async def test_cache_money_since_an_instant_is_exact_to_the_instant(pool: Pool) -> None:
    reports = Reports(pool)
    end = datetime(2026, 3, 11, tzinfo=UTC)
    before = await reports.cache_money(datetime(2026, 3, 10, 10, 4, 59, tzinfo=UTC), end, NO_FILTERS)
    after = await reports.cache_money(datetime(2026, 3, 10, 10, 5, 0, 1, tzinfo=UTC), end, NO_FILTERS)
    assert before.answer == CacheMoney(2 * MILLI, 500_000_000, 20_000_000)
    assert after.answer == CacheMoney(0, 500_000_000, 20_000_000)


async def test_a_session_is_told_call_by_call_with_every_verdict(pool: Pool) -> None:
    found = (await SessionReports(pool).session("s-1", NO_FILTERS)).answer
    assert found.totals == Totals(3, 106_000, 400, 100, 8_100, 50, 1700 * MILLI, 0)
    assert (found.agent_runs, found.tool_calls, len(found.calls), found.truncated) == (1, 1, 5, False)
    assert {span.verdict for span in found.spans} == {"billed", "duplicate"}
    copy = next(span for span in found.spans if span.verdict == "duplicate")
    assert (copy.span_id, copy.reason, copy.would_cost_pico) == ("6" * 16, "copy of 3333333333333333", 696_500_000_000)


async def test_a_corrected_call_is_told_once_as_it_now_stands(pool: Pool) -> None:
    found = (await SessionReports(pool).trace(bytes.fromhex("c" * 32), NO_FILTERS)).answer
    assert len(found.calls) == 1
    call = found.calls[0]
    assert (call.revisions, call.totals.calls, call.totals.cost_pico, call.rate_version) == (3, 1, 400 * MILLI, 8)


async def test_another_organisations_session_stays_unseen(pool: Pool) -> None:
    sessions = SessionReports(pool)
    assert (await sessions.session("s-1", Filters(orgs=("beta",)))).answer.calls == []
    assert (await sessions.session("s-1", Filters(orgs=("beta",)))).answer.spans == []
    assert (await sessions.trace(bytes.fromhex("a" * 32), Filters(orgs=("beta",)))).answer.calls == []


async def test_coverage_tells_what_became_of_everything(pool: Pool) -> None:
    stated = await CoverageReports(pool).coverage(WEEK, NO_FILTERS)
    told = stated.answer
    assert {row.verdict: row.spans for row in told.verdicts} == {"billed": 10, "duplicate": 1, "redelivered": 2}
    assert told.suspense == [("bad_usage", 1, 0)]
    assert fate_of_spans(told) == Fate(received=14, billed=10, duplicate=3, ignored=0, suspense=1)
    money = fate_of_money(told)
    assert (money.duplicate, money.ignored, money.suspense) == (2 * 696_500_000_000, 0, None)
    assert money.received == (money.billed or 0) + (money.duplicate or 0)
    assert (told.totals.calls, told.totals.unpriced_calls, told.totals.cost_pico) == (7, 1, 2350 * MILLI + 20_000_000)
    assert [tuple(row) for row in told.unpriced_models] == [("acme-labs", "mystery", 1, 10, 5, 0)]


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles", "Asia/Kathmandu", "Pacific/Kiritimati"])
async def test_coverage_of_a_day_counts_what_arrived_in_that_day_of_the_zone(pool: Pool, zone: str) -> None:
    told = (await CoverageReports(pool).coverage(trailing_days(1, zone, NOW), NO_FILTERS)).answer
    spans = fate_of_spans(told)
    assert spans.received == spans.billed + spans.duplicate + spans.ignored + spans.suspense
    arrived = {row.verdict: row.spans for row in told.verdicts}
    assert (arrived["redelivered"], arrived["duplicate"], spans.suspense) == (2, 1, 1)


async def test_coverage_of_one_organisation_is_its_own(pool: Pool) -> None:
    beta = (await CoverageReports(pool).coverage(WEEK, Filters(orgs=("beta",)))).answer
    assert fate_of_spans(beta) == Fate(received=1, billed=1, duplicate=0, ignored=0, suspense=0)
    assert fate_of_money(beta) == MoneyFate(None, None, 0, 0, 0)
    acme = (await CoverageReports(pool).coverage(WEEK, Filters(orgs=("acme",)))).answer
    assert {row.verdict: row.spans for row in acme.verdicts} == {"billed": 9, "redelivered": 2}


async def test_lifetime_sums_everything_and_the_dearest_embedding_of_late(pool: Pool) -> None:
    found = await Reports(pool).lifetime(NOW, NO_FILTERS)
    assert [tuple(row) for row in found.activity] == [("acme", "finance_agent", 1, 1)]
    assert (found.embedding_calls, found.embedding_cost_pico, found.embedding_cost_max_pico) == (
        1,
        20_000_000,
        20_000_000,
    )
    assert (found.semantic_savings_pico, found.prompt_savings_pico) == (2 * MILLI, 500_000_000)
    assert (
        await Reports(pool).lifetime(datetime(2026, 3, 10, 12, 3, tzinfo=UTC), NO_FILTERS)
    ).embedding_cost_max_pico == 0


async def test_an_empty_ledger_gives_empty_answers(ledger_pool: Pool) -> None:
    reports, sessions = Reports(ledger_pool), SessionReports(ledger_pool)
    for stated in (
        await reports.trends(WEEK, NO_FILTERS),
        await reports.allocations(WEEK, NO_FILTERS),
        await reports.models(WEEK, NO_FILTERS),
        await reports.cache_impact(WEEK, NO_FILTERS, hourly=False),
        await sessions.active(NOW, 600, 1800, NO_FILTERS),
    ):
        assert stated.answer in ([], ([], 0))
    assert (await sessions.session("none", NO_FILTERS)).answer.totals == Totals()


async def test_the_last_start_is_remembered(ledger_pool: Pool) -> None:
    reports = Reports(ledger_pool)
    assert await reports.started_at() is None
    await reports.record_start("query_api", NOW)
    assert await reports.started_at() == NOW

"""What became of everything: each span once, in any zone, however often it came; its money follows the entries."""

from datetime import timedelta

import pytest
from repricing_world import HOUSE_MODEL, NOW, NOW_NS, a_ledger, call, put, rows, statement, strange_call

from finops.coverage import Fate, MoneyFate, fate_of_money, fate_of_spans
from finops.periods import trailing_days
from finops.reports import NO_FILTERS, Coverage, Filters
from finops.spans import Rejected, SpanClass
from ledger.coverage import CoverageReports
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.sessions import SessionReports
from ledger.unpriced import UnpricedCalls
from sql import migrations, query

HOUR_NS = 3_600 * 10**9
CALL_PICO = 601 * 150_000 + 400 * 75_000 + 10 * 600_000
"""What ``call(1)`` costs by the catalogue."""


async def covered(pool: Pool, zone: str = "UTC", filters: Filters = NO_FILTERS, days: int = 1) -> Coverage:
    found = (await CoverageReports(pool).coverage(trailing_days(days, zone, NOW + timedelta(hours=11)), filters)).answer
    spans = fate_of_spans(found)
    assert spans.received == spans.billed + spans.duplicate + spans.ignored + spans.suspense
    return found


async def test_every_arrival_is_counted_once(ledger_pool: Pool) -> None:
    ledger = a_ledger(ledger_pool)
    tool = call(3, span_class=SpanClass.TOOL, usage=None, usage_detail=0, tool="t")
    refused = Rejected("bad_usage", "input_tokens is -5")
    await ledger.append([call(1), call(1), tool], [refused], NOW_NS)
    await ledger.append([call(1), call(2)], [refused], NOW_NS)
    told = await covered(ledger_pool)
    assert {row.verdict: row.spans for row in told.verdicts} == {"billed": 2, "redelivered": 2, "toolCall": 1}
    assert fate_of_spans(told) == Fate(received=7, billed=2, duplicate=2, ignored=1, suspense=2)
    received = (await rows(ledger_pool, "select sum(spans) from intake where outcome = 'received'"))[0][0]
    assert received == 7
    stands = (await rows(ledger_pool, "select sum(cost_pico) from entries"))[0][0]
    money = MoneyFate(stands + 2 * CALL_PICO, stands, 2 * CALL_PICO, 0, None)
    assert fate_of_money(told) == money


@pytest.mark.parametrize(("zone", "spans"), [("UTC", 4), ("Asia/Kathmandu", 1), ("America/Los_Angeles", 3)])
async def test_a_day_holds_what_arrived_in_it_in_the_asked_zone(ledger_pool: Pool, zone: str, spans: int) -> None:
    """Asked at 23:00 UTC on a Friday: Kathmandu's Saturday began at 18:15, Los Angeles' Friday at 08:00 UTC."""
    ledger = a_ledger(ledger_pool)
    for hours in (-4.25, -3.75, 6.0, 6.5):
        arrived_ns = NOW_NS + int(hours * HOUR_NS)
        await ledger.append([call(1)], [], arrived_ns)
    told = await covered(ledger_pool, zone)
    assert fate_of_spans(told).received == spans


async def test_money_billed_follows_what_stands_when_a_price_appears(ledger_pool: Pool) -> None:
    store = RateStore()
    await a_ledger(ledger_pool, store).append([strange_call(1), strange_call(2)], [], NOW_NS)
    unknown = await covered(ledger_pool)
    assert fate_of_money(unknown) == MoneyFate(None, None, 0, 0, 0)
    await put(ledger_pool, store, statement("0.001", HOUSE_MODEL))
    await UnpricedCalls(ledger_pool, store).price()
    stands = (await rows(ledger_pool, "select sum(cost_pico) from entries"))[0][0]
    assert stands > 0
    assert fate_of_money(await covered(ledger_pool)) == MoneyFate(stands, stands, 0, 0, 0)
    trace = (await SessionReports(ledger_pool).trace((1).to_bytes(16), NO_FILTERS)).answer
    assert trace.spans[0].would_cost_pico == trace.totals.cost_pico
    await a_ledger(ledger_pool, store, 2).append([strange_call(1, flags=("x",), usage_detail=9)], [], NOW_NS)
    assert fate_of_money(await covered(ledger_pool)).billed == stands


async def test_an_organisation_sees_what_it_said_or_inherited(ledger_pool: Pool) -> None:
    run = call(1, org="acme", span_class=SpanClass.AGENT, usage=None, usage_detail=0, agent_run="r")
    below = call(2, trace_id=run.trace_id, parent_id=run.span_id)
    token = call(3, tenant="beta")
    late = Rejected("too_late", "old", tenant="beta")
    await a_ledger(ledger_pool).append([run, below, token, token, call(4)], [late], NOW_NS)
    seen = {
        org: fate_of_spans(await covered(ledger_pool, filters=Filters(orgs=(org,))))
        for org in ("acme", "beta", "default")
    }
    assert seen == {"acme": Fate(2, 1, 0, 1, 0), "beta": Fate(3, 1, 1, 0, 1), "default": Fate(1, 1, 0, 0, 0)}


OLD_SHAPE = (
    "drop schema walled cascade",
    "drop function note_verdicts cascade",
    "drop function note_verdict cascade",
    "drop table verdict_sums",
    "drop table rights_applied",
    "alter table spans drop column org_id",
    "drop table intake",
    "create table intake (day date, tenant text, outcome text, spans bigint, primary key (day, tenant, outcome))",
    "insert into intake values ('2026-11-20', '', 'received', 3), ('2026-11-20', 'default', 'received', 4)",
    "update spans set would_cost_pico = null",
)


async def test_a_ledger_of_before_is_brought_along(ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append([call(1, org="acme"), call(2, tenant="beta"), call(3)], [], NOW_NS)
    arrivals, verdicts = (next(m.text for m in migrations() if m.number == number) for number in (9, 23))
    async with ledger_pool.connection() as connection:
        for old in OLD_SHAPE:
            await connection.execute(old)
        await connection.execute(arrivals)
        await connection.execute("drop function is_unpriced")
        await connection.execute(verdicts)
    summed = await rows(ledger_pool, "select org_id, verdict, spans, would_cost_pico > 0 from verdict_sums order by 1")
    assert summed == [(org_id, "billed", 1, True) for org_id in ("acme", "beta", "default")]
    kept = await rows(ledger_pool, "select org_id, would_cost_pico > 0 from spans order by span_id")
    assert kept == [("acme", True), ("beta", True), ("default", True)]
    counted = await rows(ledger_pool, "select bucket::timestamptz at time zone 'UTC', org_id, spans from intake")
    assert [(str(bucket), org_id, spans) for bucket, org_id, spans in counted] == [
        ("2026-11-20 00:00:00", "default", 7)
    ]


async def test_spans_added_by_a_collector_of_the_version_before_are_in_the_sums(ledger_pool: Pool) -> None:
    await a_ledger(ledger_pool).append([call(1), call(2)], [], NOW_NS)
    async with ledger_pool.connection() as connection:
        await connection.execute("reset finops.adds_verdicts")
        await connection.execute(
            "insert into spans "
            "select (jsonb_populate_record(s, jsonb_build_object('span_id', '\\x00000000000000aa'))).* from spans s "
            "where span_id = (select min(span_id) from spans)"
        )
        await connection.execute("set finops.adds_verdicts = on")
        row = await (await connection.execute(query("verify_verdict_sums"))).fetchone()
    assert row is not None
    assert row[1:] == (0, None)
    assert await rows(ledger_pool, "select verdict, spans from verdict_sums") == [("billed", 3)]

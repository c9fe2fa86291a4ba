"""Exports add up to the ledger on every engine: by call, by agent and day, corrections and unpriced calls included."""

from collections import Counter, defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from exports_world import export_ledger
from repricing_world import NOW, rows

from finops.exported import Charge, ExportedEntry, ExportQuestion
from finops.focus import focus_columns
from finops.reports import NO_FILTERS, Filters
from finops.time_windows import TimeWindow
from ledger.exports import Exports
from ledger.pool import Pool

WINDOW = TimeWindow("UTC", NOW - timedelta(days=60), NOW + timedelta(days=1))
ALL = ExportQuestion(WINDOW, NO_FILTERS)


@pytest.fixture
async def pool(ledger_pool: Pool) -> Pool:
    await export_ledger(ledger_pool)
    return ledger_pool


async def entries_of(pool: Pool, question: ExportQuestion) -> list[ExportedEntry]:
    return [entry async for piece in Exports(pool).entries(question) for entry in piece]


async def charges_of(pool: Pool, question: ExportQuestion) -> list[Charge]:
    return [charge async for piece in Exports(pool).charges(question) for charge in piece]


async def days_of(pool: Pool, question: ExportQuestion) -> list[Charge]:
    return [charge async for piece in Exports(pool).agent_days(question) for charge in piece]


def summed(charges: list[Charge]) -> dict[tuple[object, ...], Counter[str]]:
    """Sums by day, names, kind, price and whether it corrects."""
    found: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    for charge in charges:
        day = charge.start.replace(hour=0, minute=0, second=0)
        names = [getattr(charge, name) for name in ("org_id", "team_id", "agent_id", "environment", "model_id")]
        key = (day, *names, charge.kind, charge.rate_femto, charge.corrects, charge.closed, charge.amount_pico is None)
        for name in ("quantity", "amount_pico", "calls", "unpriced_calls"):
            found[key][name] += getattr(charge, name) or 0
    return found


async def test_every_entry_is_a_row_and_sums_are_the_ledgers(pool: Pool) -> None:
    entries = await entries_of(pool, ALL)
    assert [(entry.event_time, entry.trace_id) for entry in entries] == sorted(
        (entry.event_time, entry.trace_id) for entry in entries
    )
    counted = "count(*), sum(calls), sum(cost_pico), sum(unpriced_calls), sum(input_tokens), sum(agent_runs)"
    (stands,) = await rows(pool, f"select {counted} from entries")
    names = ("calls", "cost_pico", "unpriced_calls", "input_tokens", "agent_runs")
    assert [len(entries), *(sum(getattr(entry, name) or 0 for entry in entries) for name in names)] == [
        int(number) for number in stands
    ]
    reversals = [entry for entry in entries if entry.reverses is not None]
    assert len(reversals) >= 31
    assert all(entry.calls == -1 and entry.revision > entry.reverses for entry in reversals if entry.reverses)


async def test_charges_are_the_lines_of_prices_and_add_up_to_the_ledger(pool: Pool) -> None:
    charges = await charges_of(pool, ALL)
    (stands,) = await rows(pool, "select sum(cost_pico), sum(calls), sum(unpriced_calls) from entries")
    assert [sum(charge.amount_pico or 0 for charge in charges)] == [int(stands[0])]
    assert [sum(charge.calls for charge in charges), sum(charge.unpriced_calls for charge in charges)] == [
        int(number) for number in stands[1:]
    ]
    unpriced = [charge for charge in charges if charge.amount_pico is None]
    assert sum(charge.unpriced_calls for charge in unpriced) == 6
    assert all((charge.kind, charge.rate_femto) == (None, None) for charge in unpriced)
    assert [charge.quantity for charge in unpriced if charge.model_id != "house-7b"] == [None], "usage never stated"


async def test_an_agents_day_is_the_sum_of_its_calls(pool: Pool) -> None:
    by_call, by_day = await charges_of(pool, ALL), await days_of(pool, ALL)
    assert summed(by_day) == summed(by_call)
    assert len(by_day) < len(by_call) / 3
    assert {charge.end - charge.start for charge in by_day} == {timedelta(days=1)}


async def test_corrections_are_told_from_the_rest(pool: Pool) -> None:
    for charges in (await charges_of(pool, ALL), await days_of(pool, ALL)):
        corrections = [charge for charge in charges if charge.corrects]
        assert {charge.org_id for charge in corrections} == {"acme", "beta"}
        assert {(charge.quantity or 0) > 0 for charge in corrections} == {True, False}
        assert all(charge.closed for charge in corrections if charge.org_id == "beta"), "of a month that had ended"
        assert not any(charge.closed for charge in charges if not charge.corrects)


async def test_filters_and_windows_hold(pool: Pool) -> None:
    acme = ExportQuestion(WINDOW, Filters(orgs=("acme",)))
    for found in (await charges_of(pool, acme), await days_of(pool, acme)):
        assert {charge.org_id for charge in found} == {"acme"}
    assert {entry.org_id for entry in await entries_of(pool, acme)} == {"acme"}
    recent = ExportQuestion(WINDOW._replace(start=NOW - timedelta(minutes=5)), NO_FILTERS)
    assert {entry.org_id for entry in await entries_of(pool, recent)} == {"acme"}
    assert await entries_of(pool, ExportQuestion(WINDOW, Filters(agents=("nobody",)))) == []


async def test_list_cost_is_price_times_quantity_and_billed_cost_is_rounded_once(pool: Pool) -> None:
    columns = {column.name: column.read for column in focus_columns("1.2")}
    for charge in await charges_of(pool, ALL):
        price, quantity = columns["ListUnitPrice"](charge), columns["PricingQuantity"](charge)
        if price is None:
            assert all(
                columns[name](charge) is None for name in ("BilledCost", "ListCost", "SkuPriceId", "PricingUnit")
            )
            continue
        assert price * quantity == columns["ListCost"](charge) == columns["ContractedCost"](charge)
        assert abs(columns["ListCost"](charge) - columns["BilledCost"](charge)) <= Decimal("0.5e-12")

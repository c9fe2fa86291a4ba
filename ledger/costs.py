"""Spend by any groups over any window, exact, in pico-USD, one page at a time.

Sums answer where they can; what only single entries know (users, sessions, the edges of a window inside a quarter hour)
is summed from those, and refused where they are no longer kept: no figure hides what is missing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from finops.cost_questions import GROUPS, CostPage, CostQuestion, CostRow, EntriesGone, Place
from finops.periods import utc_days_inside
from finops.reports import Stated
from ledger.pool import Pool
from ledger.reading import Look, filter_values, look, totals

QUARTER = timedelta(minutes=15)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_WHOLE = 11
"""Columns about all pages, in front of each row's own."""
_OWN = _WHOLE + 1 + len(GROUPS)


class CostReport:
    """Answers over one pool; raises ``LedgerUnavailable`` where it cannot, ``EntriesGone`` where it may not."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def costs(self, question: CostQuestion) -> Stated[CostPage]:
        """One page of an answer, and the sums over all its pages."""
        name = "report_costs_by_entries" if question.needs_entries else "report_costs_by_sums"
        async with look(self._pool) as ledger:
            values = question_values(question, ledger.days_until)
            await _refuse_what_is_gone(ledger, question, values)
            rows = await ledger.rows(name, values)
            page = _page(rows, question.limit)._replace(identifiers_since=await _identifiers_since(ledger, question))
        return Stated(page, ledger.complete_through, ledger.pending_ranges)


async def _refuse_what_is_gone(ledger: Look, question: CostQuestion, values: dict[str, Any]) -> None:
    (since,) = await ledger.row("entries_since", {})
    window = question.window
    if since is None or window.start >= since:
        return
    if question.needs_entries or values["start"] < values["sums_start"] or values["sums_end"] < min(since, window.end):
        raise EntriesGone(since)


async def _identifiers_since(ledger: Look, question: CostQuestion) -> datetime | None:
    if not question.needs_entries:
        return None
    orgs = question.filters.orgs
    (through,) = await ledger.row("nameless_through", {"orgs": None if orgs is None else list(orgs)})
    return through if through is not None and question.window.start < through else None


def question_values(question: CostQuestion, days_until: datetime | None) -> dict[str, Any]:
    """A question as the queries name it."""
    start, end = question.window.start, question.window.end
    if question.by_utc_day:
        sums_start, sums_end = start, end
        days_start, days_end = utc_days_inside(start, end, days_until)
    else:
        sums_start = min(_EPOCH - ((_EPOCH - start) // QUARTER) * QUARTER, end)
        sums_end = max(_EPOCH + ((end - _EPOCH) // QUARTER) * QUARTER, sums_start)
        one_step = len(question.steps) == 1
        days_start, days_end = utc_days_inside(sums_start, sums_end, days_until) if one_step else (sums_end, sums_end)
    after = question.after or Place(0, 0, ("",) * len(GROUPS))
    return filter_values(question.filters) | {
        "groups": sorted(question.groups),
        "starts": list(question.steps),
        "days_start": days_start,
        "days_end": days_end,
        "start": start,
        "end": end,
        "sums_start": sums_start,
        "sums_end": sums_end,
        "dearest_first": question.dearest_first,
        "limit": question.limit + 1,
        "continues": question.after is not None,
        "after_step": after.step + 1,
        "after_place": -after.cost_rank if question.dearest_first else 0,
        **{f"after_{name}": value for name, value in zip(GROUPS, after.names, strict=True)},
    }


def _page(rows: Sequence[Sequence[Any]], limit: int) -> CostPage:
    whole = rows[0][:_WHOLE]
    found = [_row(row) for row in rows[:limit] if row[_WHOLE] is not None]
    return CostPage(found, len(rows) > limit, totals(whole[:8]), whole[8], whole[9], whole[10])


def _row(row: Sequence[Any]) -> CostRow:
    names = tuple(str(name) for name in row[_WHOLE + 1 : _OWN])
    return CostRow(row[_WHOLE] - 1, names, totals(row[_OWN : _OWN + 8]), row[_OWN + 8], row[_OWN + 9])

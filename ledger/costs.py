"""Spend by any groups over any window, exact, in pico-USD, one page at a time.

Sums answer where they can; what only single entries know (users, sessions, the edges of a window inside a quarter hour)
is summed from those, and refused where they are no longer kept: no figure hides what is missing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from finops.blocks import Cover, Stretch, pieces
from finops.cost_questions import GROUPS, CostPage, CostQuestion, CostRow, EntriesGone, Place
from finops.reports import Stated
from ledger.block_calendars import ZONES_MAX, WantedZones
from ledger.blocks import cover_values
from ledger.pool import Pool
from ledger.reading import Look, filter_values, totals

QUARTER = timedelta(minutes=15)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_WHOLE = 11
"""Columns about all pages, in front of each row's own."""
_OWN = _WHOLE + 1 + len(GROUPS)


class CostReport:
    """Answers over one pool; raises ``LedgerUnavailable`` where it cannot, ``EntriesGone`` where it may not."""

    def __init__(self, pool: Pool, zones_max: int = ZONES_MAX) -> None:
        self._pool = pool
        self._zones = WantedZones(pool, zones_max)

    async def costs(self, question: CostQuestion) -> Stated[CostPage]:
        """One page of an answer, and the sums over all its pages."""
        name = "report_costs_by_entries" if question.needs_entries else "report_costs_by_sums"
        stretches = sums_of(question)
        async with self._zones.look(question.window.zone, stretches) as (ledger, found):
            values = question_values(question, found)
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


def sums_of(question: CostQuestion) -> list[Stretch]:
    """The steps of a question as far as sums answer it; nothing where entries do."""
    bounds = _whole_quarters(question)
    if question.needs_entries or bounds.start == bounds.end:
        return []
    if len(question.steps) == 1:
        return [bounds]
    starts = [bounds.start, *(start for start in question.steps if bounds.start < start < bounds.end)]
    return pieces(starts, bounds.end, question.window.zone)


def _whole_quarters(question: CostQuestion) -> Stretch:
    start, end = question.window.start, question.window.end
    first = min(_EPOCH - ((_EPOCH - start) // QUARTER) * QUARTER, end)
    return Stretch(first, max(_EPOCH + ((end - _EPOCH) // QUARTER) * QUARTER, first))


def question_values(question: CostQuestion, found: Cover) -> dict[str, Any]:
    """A question, and where its sums are read, as the queries name them."""
    start, end = question.window.start, question.window.end
    sums_start, sums_end = _whole_quarters(question)
    after = question.after or Place(0, 0, ("",) * len(GROUPS))
    return (
        filter_values(question.filters)
        | cover_values(found)
        | {
            "groups": sorted(question.groups),
            "starts": list(question.steps),
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
    )


def _page(rows: Sequence[Sequence[Any]], limit: int) -> CostPage:
    whole = rows[0][:_WHOLE]
    found = [_row(row) for row in rows[:limit] if row[_WHOLE] is not None]
    return CostPage(found, len(rows) > limit, totals(whole[:8]), whole[8], whole[9], whole[10])


def _row(row: Sequence[Any]) -> CostRow:
    names = tuple(str(name) for name in row[_WHOLE + 1 : _OWN])
    return CostRow(row[_WHOLE] - 1, names, totals(row[_OWN : _OWN + 8]), row[_OWN + 8], row[_OWN + 9])

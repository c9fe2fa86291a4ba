"""What is burning now, and everything about one session or one trace."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from finops.burn import SlotSpend, window_start
from finops.entries import Measures
from finops.entry_terms import Terms, told
from finops.ratios import plain
from finops.reports import CallEntry, DrillDown, Filters, SessionBurn, SpanVerdict, Stated
from ledger.pool import Pool
from ledger.reading import Look, filter_values, look, totals

SESSIONS_MAX = 10_000
"""Active sessions in one answer; the fastest are kept."""
CALLS_MAX = 2_000
"""Calls and spans listed for one session or trace."""


class SessionReports:
    """Session windows and drill-downs over one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def active(
        self, now: datetime, window_seconds: int, idle_seconds: int, filters: Filters
    ) -> Stated[list[SessionBurn]]:
        """Sessions with a call within ``idle_seconds``, fastest first, with their spend in the window up to now.

        A filter by model or environment counts only the calls that match it.
        """
        values = filter_values(filters) | {
            "now": now,
            "window_start": window_start(now, window_seconds),
            "idle_start": now - timedelta(seconds=idle_seconds),
            "limit": SESSIONS_MAX,
        }
        by_call = filters.models is not None or filters.environments is not None
        name = "report_active_sessions_by_entries" if by_call else "report_active_sessions"
        async with look(self._pool) as ledger:
            rows = await ledger.rows(name, values)
        return Stated([_session_burn(row) for row in rows], ledger.complete_through, ledger.pending_ranges)

    async def session(self, session_id: str, filters: Filters) -> Stated[DrillDown]:
        """Calls of one session in order of time, and every span of its traces with its verdict."""
        async with look(self._pool) as ledger:
            found = await _drill_down(ledger, "session", {"session_id": session_id}, filters)
        return Stated(found, ledger.complete_through, ledger.pending_ranges)

    async def trace(self, trace_id: bytes, filters: Filters) -> Stated[DrillDown]:
        """Calls and spans of one trace."""
        async with look(self._pool) as ledger:
            found = await _drill_down(ledger, "trace", {"trace_id": trace_id}, filters)
        return Stated(found, ledger.complete_through, ledger.pending_ranges)


async def _drill_down(ledger: Look, subject: str, key: dict[str, object], filters: Filters) -> DrillDown:
    values = filter_values(filters) | key | {"limit": CALLS_MAX + 1}
    sums = await ledger.row(f"report_{subject}_totals", values)
    calls = [_call_entry(row) for row in await ledger.rows(f"report_{subject}_calls", values)]
    spans = [SpanVerdict(*row) for row in await ledger.rows(f"report_{subject}_spans", values)]
    return DrillDown(
        totals(sums[:8]),
        sums[8],
        sums[9],
        calls[:CALLS_MAX],
        spans[:CALLS_MAX],
        max(len(calls), len(spans)) > CALLS_MAX,
    )


def _call_entry(row: Sequence[Any]) -> CallEntry:
    *columns, terms, written_1h = row
    counts = totals(columns[14:22])
    measures = Measures(
        input_tokens=counts.input_tokens,
        cached_input_tokens=counts.cached_input_tokens,
        cache_write_tokens=counts.cache_write_tokens,
        cache_write_1h_tokens=written_1h,
        output_tokens=counts.output_tokens,
        reasoning_tokens=counts.reasoning_tokens,
    )
    return CallEntry._make((*columns[:14], counts, *columns[22:], told(Terms(None, terms), measures, 0)))


def _session_burn(row: Sequence[Any]) -> SessionBurn:
    *facts, baseline, slots, costs = row
    spend = None if facts[3] is None else int(facts[3])
    per_hour = None if baseline is None else plain(baseline)
    window = tuple(SlotSpend(slot, int(cost)) for slot, cost in zip(slots, costs, strict=True))
    return SessionBurn._make((*facts[:3], spend, *facts[4:], per_hour, window))

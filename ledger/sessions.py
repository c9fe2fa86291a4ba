"""What is burning now, and everything about one session or one trace."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from finops.burn import window_start
from finops.entries import Measures
from finops.entry_terms import Terms, told
from finops.ratios import plain
from finops.reports import CallEntry, DrillDown, Fastest, Filters, SessionBurn, SpanVerdict, Stated
from ledger.pool import Pool
from ledger.reading import Look, Row, filter_values, look, totals

SESSIONS_MAX = 10_000
"""So many of the fastest active sessions can be paged through."""
LIKELY_MAX = 40_000
"""So many sessions are summed at most to find the fastest."""
CALLS_MAX = 2_000
"""Calls and spans listed for one session or trace."""
_SPEND = 3
"""The column of an active session's spend."""


class SessionReports:
    """Session windows and drill-downs over one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def active(
        self,
        now: datetime,
        window_seconds: int,
        idle_seconds: int,
        filters: Filters,
        *,
        limit: int = SESSIONS_MAX,
        offset: int = 0,
    ) -> Stated[Fastest]:
        """Sessions with a call within ``idle_seconds``, fastest first, with their spend in the window up to now.

        A filter by model or environment counts only the calls that match it.
        """
        values = filter_values(filters) | {
            "now": now,
            "window_start": window_start(now, window_seconds),
            "idle_start": now - timedelta(seconds=idle_seconds),
            "limit": min(offset + limit, SESSIONS_MAX),
        }
        by_call = filters.models is not None or filters.environments is not None
        async with look(self._pool) as ledger:
            if by_call:
                rows = await ledger.rows("report_active_sessions_by_entries", values | {"limit": SESSIONS_MAX})
                active = len(rows)
            else:
                rows = await _fastest(ledger, values, min(offset + limit, SESSIONS_MAX))
                active = int((await ledger.row("burn_count_active", values))[0])
        sessions = [_session_burn(row) for row in rows[offset : offset + limit]]
        return Stated(Fastest(sessions, active), ledger.complete_through, ledger.pending_ranges)

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


async def _fastest(ledger: Look, values: dict[str, object], top: int) -> list[Row]:
    """The ``top`` fastest. Sums as many sessions as may be among them: no other's bound is above the last of them."""
    likely = 2 * top + 50
    while True:
        rows = await ledger.rows("report_active_sessions", values | {"likely": likely})
        bounds = await ledger.rows("burn_next_bound", values | {"likely": likely})
        if not bounds or likely >= LIKELY_MAX:
            return rows
        slowest = rows[-1][_SPEND] if len(rows) == top else None
        if slowest is not None and slowest >= bounds[0][0]:
            return rows
        likely *= 4


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


def _session_burn(row: Row) -> SessionBurn:
    *facts, baseline = row
    facts[_SPEND] = None if facts[_SPEND] is None else int(facts[_SPEND])
    return SessionBurn._make((*facts, None if baseline is None else plain(baseline)))

"""What became of everything that arrived, and what has no price yet."""

from collections.abc import Sequence
from typing import Any

from finops.coverage import REDELIVERED
from finops.periods import Period
from finops.reports import Coverage, Filters, ReportedCost, Stated, SuspenseCount, UnpricedModel, VerdictCount
from ledger.blocks import covered
from ledger.pool import Pool
from ledger.reading import look, totals
from ledger.reports import period_values, whole


class CoverageReports:
    """The coverage report over one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def coverage(self, period: Period, filters: Filters) -> Stated[Coverage]:
        """Spans by verdict, and spans in suspense, by arrival; calls and unpriced models by event time."""
        async with look(self._pool) as ledger:
            values = period_values(period, filters, await covered(ledger, [whole(period)]))
            verdicts = await ledger.rows("report_verdicts", values)
            again = await ledger.row("report_redelivered", values)
            suspense = await ledger.rows("report_suspense", values)
            sums = await ledger.row("report_totals", values)
            unpriced = await ledger.rows("report_unpriced_models", values)
            reported = await ledger.rows("report_reported_costs", values)
        answer = Coverage(
            [_verdict(row) for row in (*verdicts, (REDELIVERED, *again)) if row[1]],
            [SuspenseCount(row[0], int(row[1]), int(row[2])) for row in suspense],
            totals(sums[:8]),
            sums[8],
            [UnpricedModel(row[0], row[1], *(int(count) for count in row[2:])) for row in unpriced],
            [ReportedCost(row[0], row[1], *(int(count) for count in row[2:])) for row in reported],
        )
        return Stated(answer, ledger.complete_through, ledger.pending_ranges)


def _verdict(row: Sequence[Any]) -> VerdictCount:
    verdict, spans, priced_pico, unpriced_spans = row
    return VerdictCount(verdict, spans, int(priced_pico), unpriced_spans)

"""The first sight of what was spent, read in one look: every figure is as of the same instant."""

from finops.blocks import pieces
from finops.overview import Overview, dearest, orgs_of
from finops.periods import Period
from finops.reports import Filters, Stated
from ledger.block_calendars import ZONES_MAX, WantedZones
from ledger.blocks import covered
from ledger.pool import Pool
from ledger.reports import agents_in, days_in, models_in, period_values, whole


class OverviewReports:
    """The overview over one pool. Raises ``LedgerUnavailable`` where it cannot answer."""

    def __init__(self, pool: Pool, zones_max: int = ZONES_MAX) -> None:
        self._zones = WantedZones(pool, zones_max)

    async def overview(self, period: Period, history: Period, filters: Filters, kind: str) -> Stated[Overview]:
        """What was spent in ``period``, and on each day of ``history``, which ends with the same day, by ``kind``."""
        asked = pieces(history.starts, history.end, history.zone)
        async with self._zones.look(period.zone, asked) as (ledger, found):
            values = period_values(period, filters, await covered(ledger, [whole(period)]))
            agents, models = await agents_in(ledger, values), await models_in(ledger, values)
            orgs = orgs_of(agents)
            spent = {
                "agent": [(row.agent_id, row.totals) for row in agents],
                "model": [(row.model_id, row.totals) for row in models],
                "org": [(row.org_id, row.totals) for row in orgs],
            }
            names = dearest(spent[kind])
            days = await days_in(ledger, history, period_values(history, filters, found), kind, names)
        answer = Overview(period, history, kind, names, days, agents, models, orgs)
        return Stated(answer, ledger.complete_through, ledger.pending_ranges)

"""What agents usually burn, hour by hour: kept by a pass of the judge, read for suggestions."""

from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from finops.baseline_suggestions import WEEKLY_EVIDENCE, AgentHour, Suggestion, suggest
from finops.burn import SLOT_SECONDS
from finops.money import usd
from finops.reports import Filters
from ledger.pool import Pool
from ledger.reading import filter_values, reaching
from sql import query

SETTLE = timedelta(minutes=15)
"""An hour is looked at so long after its end: most of what comes late has come by then."""
ROWS_MAX = 200_000
"""Active hours read for one answer."""
HOUR = timedelta(hours=1)


class AgentHoursPass:
    """A pass of the judge: one hour at a time, once each."""

    name = "agentHours"

    def __init__(self, pool: Pool, window_seconds: int) -> None:
        self._pool = pool
        self._window_seconds = window_seconds

    async def run(self, now: datetime) -> None:
        """Looks at the oldest hour that is over and was not looked at; nothing to do most of the time."""
        oldest = (now - WEEKLY_EVIDENCE).replace(minute=0, second=0, microsecond=0)
        async with reaching(self._pool) as connection, connection.transaction():
            row: Any = await (await connection.execute(query("agent_hours_next"), {"oldest": oldest})).fetchone()
            if row is None or row[0] + HOUR + SETTLE > now:
                return
            hour: datetime = row[0]
            before = timedelta(seconds=self._window_seconds - SLOT_SECONDS)
            values = {"hour": hour, "before": before, "window_seconds": self._window_seconds}
            await connection.execute(query("agent_hours_add"), values)
            await connection.execute(query("agent_hours_done"), {"through": hour + HOUR})
            await connection.execute(query("agent_hours_forget"), {"oldest": oldest})


class SuggestionReports:
    """Suggested baselines over one pool. Raises ``LedgerUnavailable`` where it cannot answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def suggestions(self, now: datetime, multiplier: Decimal, filters: Filters) -> list[Suggestion]:
        """Of every agent with an active hour lately, by organisation and agent."""
        values = filter_values(filters) | {"now": now, "oldest": now - WEEKLY_EVIDENCE, "limit": ROWS_MAX}
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("agent_hours"), values)).fetchall()
        found = []
        for (org_id, agent_id), own in groupby(rows, key=lambda row: (row[0], row[1])):
            listed = list(own)
            stated, stated_multiplier = listed[0][4:]
            baseline = None if stated is None else usd(int(stated))
            hours = [AgentHour(row[2], int(row[3])) for row in listed]
            found.append(suggest(org_id, agent_id, hours, baseline, stated_multiplier or multiplier, now))
        return found

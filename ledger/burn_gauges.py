"""What burns now by agent, and how many anomalies are open: for gauges."""

from datetime import datetime
from typing import Any

from finops.burn import window_start
from finops.reports import AgentBurn, BurnGauges, Filters
from ledger.pool import Pool
from ledger.reading import filter_values, look


class BurnReports:
    """Over one pool. Raises ``LedgerUnavailable`` where it cannot answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def gauges(self, now: datetime, window_seconds: int, filters: Filters) -> BurnGauges:
        """The window of every agent with a call inside it, the fastest first; and the open anomalies."""
        values = filter_values(filters) | {"now": now, "window_start": window_start(now, window_seconds)}
        async with look(self._pool) as ledger:
            burns: list[Any] = await ledger.rows("burn_by_agent", values)
            opened: list[Any] = await ledger.rows("anomaly_count_open", values)
        agents = [AgentBurn(org, agent, None if spend is None else int(spend)) for org, agent, spend in burns]
        return BurnGauges(agents, [(org, agent, severity, count) for org, agent, severity, count in opened])

"""What fired and who was told: pages of it, and sums for metrics."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from finops.alert_listing import AlertCounts, AlertFilters, ListedAlert, Told
from ledger.alert_rows import alert_of
from ledger.pool import Pool
from ledger.reading import reaching
from sql import query

TOLD_OF_EACH = 20
"""Deliveries of one alert in a page of many."""
TOLD_OF_ONE = 1000
_AFTER_ALL = 2**63 - 1


class AlertHistory:
    """The history over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(self, filters: AlertFilters, *, limit: int, before: int | None) -> list[ListedAlert]:
        """The newest first; ``before`` is the last ``alert_id`` of the page before."""
        return await self._alerts(filters, None, limit, before, TOLD_OF_EACH)

    async def one(self, alert_id: int, orgs: Sequence[str] | None) -> ListedAlert | None:
        """One alert with all that was told of it."""
        found = await self._alerts(AlertFilters(orgs=orgs), alert_id, 1, None, TOLD_OF_ONE)
        return next(iter(found), None)

    async def counts(self, orgs: Sequence[str] | None, now: datetime) -> AlertCounts:
        """Sums as of ``now``."""
        values = {"orgs": None if orgs is None else list(orgs), "now": now}
        async with reaching(self._pool) as connection:
            firing: list[Any] = await (await connection.execute(query("alert_counts_firing"), values)).fetchall()
            told: list[Any] = await (await connection.execute(query("alert_counts_deliveries"), values)).fetchall()
        return AlertCounts(firing, told)

    async def _alerts(
        self, filters: AlertFilters, alert_id: int | None, limit: int, before: int | None, each: int
    ) -> list[ListedAlert]:
        values: dict[str, Any] = {
            name: list(value) if isinstance(value, Sequence) else value for name, value in filters._asdict().items()
        }
        values |= {"alert_id": alert_id, "limit": limit, "before": _AFTER_ALL if before is None else before}
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("alert_page"), values)).fetchall()
            asked = {"alerts": [row[0] for row in rows], "each": each, "orgs": values["orgs"]}
            told: list[Any] = await (await connection.execute(query("alert_told"), asked)).fetchall()
        by_alert = defaultdict(list)
        for number, *columns in told:
            by_alert[number].append(Told(*columns))
        return [
            ListedAlert(number, alert_of(snapshot), fired, updated, resolved, by_alert[number])
            for number, snapshot, fired, updated, resolved in rows
        ]

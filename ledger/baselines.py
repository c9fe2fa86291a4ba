"""What operators say is normal for an agent, kept exactly."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from finops.audit import BASELINE_DELETED, BASELINE_PUT
from finops.money import PICO_PER_USD
from finops.ratios import plain
from finops.reports import Baseline, Filters
from ledger import audit
from ledger.conditions import always
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query


class BaselineStore:
    """Puts, lists and deletes baselines; each change is one committed transaction."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def put(
        self,
        org_id: str,
        agent_id: str,
        baseline_usd_per_hour: Decimal,
        changed_by: str,
        anomaly_multiplier: Decimal | None = None,
        holds: Callable[[Baseline | None], None] = always,
    ) -> Baseline:
        """Stores the baseline and returns the row. ``org_id`` '' holds for every organisation without its own.

        ``holds`` is asked of the one before it.
        """
        values = {
            "org_id": org_id,
            "agent_id": agent_id,
            "baseline_pico_per_hour": baseline_usd_per_hour * PICO_PER_USD,
            "updated_by": changed_by,
            "anomaly_multiplier": anomaly_multiplier,
        }
        async with reaching(self._pool) as connection, connection.transaction():
            await audit.hold_trail(connection)
            before = await _stated(connection, org_id, agent_id)
            holds(before)
            row = await (await connection.execute(query("put_baseline"), values)).fetchone()
            assert row is not None
            after = _baseline(row)
            await _record(connection, BASELINE_PUT, before, after, changed_by, after.updated_at)
        return after

    async def delete(
        self,
        org_id: str,
        agent_id: str,
        changed_by: str,
        now: datetime,
        holds: Callable[[Baseline | None], None] = always,
    ) -> bool:
        """Removes the baseline; False where there is none."""
        async with reaching(self._pool) as connection, connection.transaction():
            await audit.hold_trail(connection)
            before = await _stated(connection, org_id, agent_id)
            holds(before)
            if before is None:
                return False
            await connection.execute(query("delete_baseline"), {"org_id": org_id, "agent_id": agent_id})
            await _record(connection, BASELINE_DELETED, before, None, changed_by, now)
            return True

    async def baselines(self, filters: Filters) -> list[Baseline]:
        """Every baseline that can hold for the filtered organisations and agents, by agent, at most 10,000."""
        values = {
            "orgs": None if filters.orgs is None else list(filters.orgs),
            "agents": None if filters.agents is None else list(filters.agents),
        }
        async with reaching(self._pool) as connection:
            rows = await (await connection.execute(query("list_baselines"), values)).fetchall()
        return [_baseline(row) for row in rows]


def _baseline(row: Sequence[Any]) -> Baseline:
    org_id, agent_id, per_hour, updated_at, updated_by, multiplier = row
    own = None if multiplier is None else plain(multiplier)
    return Baseline(org_id, agent_id, plain(per_hour / PICO_PER_USD), updated_at, updated_by, own)


def _told(row: Baseline | None) -> dict[str, Decimal] | None:
    """What the audit trail keeps of it."""
    if row is None:
        return None
    told = {"baselineUsdPerHour": row.baseline_usd_per_hour}
    return told if row.anomaly_multiplier is None else told | {"anomalyMultiplier": row.anomaly_multiplier}


async def _stated(connection: Connection, org_id: str, agent_id: str) -> Baseline | None:
    """The baseline of exactly these names."""
    rows = await (
        await connection.execute(query("list_baselines"), {"orgs": [org_id], "agents": [agent_id]})
    ).fetchall()
    return next((found for found in map(_baseline, rows) if (found.org_id, found.agent_id) == (org_id, agent_id)), None)


async def _record(
    connection: Connection, action: str, before: Baseline | None, after: Baseline | None, actor: str, at: datetime
) -> None:
    about = before or after
    assert about is not None
    named = {"actor": actor, "action": action, "subject": about.agent_id, "org_id": about.org_id}
    await audit.record(connection, at=at, before=_told(before), after=_told(after), **named)

"""How the ledger is stored and whether its own jobs keep up: for health, not for figures."""

from collections.abc import Mapping

from finops.blocks import DAY_STEP
from finops.spans import LedgerUnavailable
from ledger.engine import EngineUnusable, detect
from ledger.pool import Pool
from ledger.reading import reaching
from sql import query


async def storage_state(pool: Pool) -> Mapping[str, object]:
    """Engine, freshness and TimescaleDB's jobs as plain values. Raises ``LedgerUnavailable``."""
    async with reaching(pool) as connection:
        try:
            engine = await detect(connection)
        except EngineUnusable as fault:
            raise LedgerUnavailable(str(fault)) from fault
        row = await (await connection.execute(query("report_complete_through"), {"speaks_for": None})).fetchone()
        assert row is not None
        state: dict[str, object] = {
            "engine": engine.word,
            "version": str(engine),
            "completeThrough": str(row[0]).replace(" ", "T").replace("+00:00", "Z"),
            "pendingRanges": row[1],
        }
        calendars = await (await connection.execute(query("block_calendars"))).fetchall()
        state["dayZones"] = sorted(str(zone) for zone, step, _ in calendars if step == DAY_STEP)
        if not engine.keeps_rollups:
            rows = await (await connection.execute(query("engine_jobs"))).fetchall()
            state["jobs"] = [_job(*job) for job in rows]
    return state


def _job(name: object, relation: object, status: object, finished: object, failures: object) -> Mapping[str, object]:
    moment = None if finished is None else str(finished).replace(" ", "T").replace("+00:00", "Z")
    return {"name": name, "relation": relation, "lastRun": status, "lastSuccess": moment, "failures": failures}

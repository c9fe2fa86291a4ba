"""Which stretches are summed up when they are over: wanted by reports, made by the leader of the ledger's jobs.

A zone is wanted from the first report by its days on; until they are made, such reports add up quarter hours. A block
is made in one transaction: where the append keeps the sums itself, it holds every right to append, so that what is
added later finds the block; where there are continuous aggregates, what comes later is noted as late, and the block is
made again.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from psycopg import Error

from finops.blocks import SIX_HOURS_STEP, Cover, Stretch, following, lacks_days
from finops.periods import UnknownZone
from finops.spans import LedgerUnavailable
from ledger.blocks import covered, sum_up
from ledger.engine import Engine
from ledger.pool import Connection, Pool
from ledger.reading import Look, look, reaching
from ledger.refresh import APPENDS_WAIT, DAY, QUARTER, floor, progress
from sql import query

ZONES_MAX = 24
"""Zones whose days are kept, where nothing else is said."""
BLOCKS_AT_ONCE = 12
"""Blocks made in one turn, so that late entries do not wait for a new zone."""
SHORT_KEPT = timedelta(days=8)
"""Quarters of a day serve the newest days only."""
logger = logging.getLogger("ledger.blocks")


class WantedZones:
    """Remembers the zones that reports cut their days in. For one process."""

    def __init__(self, pool: Pool, zones_max: int) -> None:
        self._pool = pool
        self._zones_max = zones_max
        self._told: set[str] = set()

    @asynccontextmanager
    async def look(self, zone: str, stretches: Sequence[Stretch]) -> AsyncIterator[tuple[Look, Cover]]:
        """A look at the ledger and where the sums of ``stretches`` are read in it. A zone whose days are missing is
        wanted afterwards, also where the answer took too long without them. Raises ``LedgerUnavailable``."""
        found: Cover | None = None
        try:
            async with look(self._pool) as ledger:
                found = await covered(ledger, stretches)
                yield ledger, found
        finally:
            if found is not None and lacks_days(stretches, found):
                await self.want(zone)

    async def want(self, zone: str) -> None:
        """Has the days of ``zone`` summed up from now on; never fails, since an answer does not depend on it."""
        if zone in self._told:
            return
        try:
            async with reaching(self._pool) as connection:
                await connection.execute(query("block_calendar_ask"), {"zone": zone, "zones_max": self._zones_max})
        except (LedgerUnavailable, Error) as fault:
            logger.warning("the days of a zone could not be asked for", extra={"fault": type(fault).__name__})
            return
        self._told.add(zone)


async def build(connection: Connection, engine: Engine, now: datetime, settle: timedelta) -> int:
    """Makes blocks that are over, at most ``BLOCKS_AT_ONCE``, and returns how many.

    ``connection`` is in autocommit mode and holds the leadership. Raises psycopg's errors; the rest is made next time.
    """
    through = floor(now - settle, QUARTER) if engine.keeps_rollups else (await progress(connection)).through
    if through is None:
        return 0
    made = 0
    for zone, step, built in await _calendars(connection):
        at = built or await _first(connection, step, through)
        while at is not None and made < BLOCKS_AT_ONCE:
            try:
                block = following(step, zone, at)
            except UnknownZone:
                break
            if block.end > through:
                break
            await _make(connection, engine, (zone, step), block)
            at, made = block.end, made + 1
    return made


async def _calendars(connection: Connection) -> Sequence[tuple[str, str, datetime | None]]:
    rows: Any = await (await connection.execute(query("block_calendars"))).fetchall()
    return rows  # type: ignore[no-any-return]


async def _first(connection: Connection, step: str, through: datetime) -> datetime | None:
    """The instant whose stretch is the first of a calendar; None: there are no sums yet."""
    row: Any = await (await connection.execute(query("block_oldest"))).fetchone()
    oldest: datetime | None = row[0]
    if oldest is not None and step == SIX_HOURS_STEP:
        return max(oldest, floor(through - SHORT_KEPT, DAY))
    return oldest


async def _make(connection: Connection, engine: Engine, calendar: tuple[str, str], block: Stretch) -> None:
    zone, step = calendar
    async with connection.transaction():
        await connection.execute("select set_config('lock_timeout', %s, true)", [APPENDS_WAIT])
        if engine.keeps_rollups:
            await connection.execute(query("blocks_hold_appends"))
        if step == SIX_HOURS_STEP:
            await connection.execute(query("blocks_forget"), {"edge": block.end - SHORT_KEPT})
        values = {"starts": block.start, "ends": block.end}
        if not block.is_utc_day and (await connection.execute(query("block_add"), values)).rowcount:
            await sum_up(connection, block)
        built = {"zone": zone, "step": step, "through": block.end}
        await connection.execute(query("block_calendar_built"), built)

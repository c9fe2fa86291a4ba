"""Keeps the heads of sessions few and their bounds low. What they hold is kept by the trigger on session_slots."""

from datetime import datetime, timedelta

from ledger.pool import Pool
from ledger.reading import reaching
from sql import query

ROWS_AT_ONCE = 10_000
QUIET_AFTER_SPARE = timedelta(seconds=120)
"""Clocks may differ."""
IDLE_SPARE = timedelta(hours=1)
RAISED_SINCE = timedelta(hours=2)


async def raise_window(pool: Pool, window_seconds: int, now: datetime) -> None:
    """Makes bounds hold for windows of this length, too. To be done before any is asked for."""
    async with reaching(pool) as connection, connection.transaction():
        raised = await connection.execute(query("burn_window_raise"), {"seconds": window_seconds})
        if raised.rowcount:
            await connection.execute(query("burn_heads_again"), {"since": now - RAISED_SINCE})


class SessionHeadsPass:
    """A pass of the judge: forgets sessions long idle, and lowers bounds that time has made too high."""

    name = "sessionHeads"

    def __init__(self, pool: Pool, window_seconds: int, idle_seconds: int) -> None:
        self._pool = pool
        self._quiet = timedelta(seconds=window_seconds) + QUIET_AFTER_SPARE
        self._idle = timedelta(seconds=idle_seconds) + IDLE_SPARE

    async def run(self, now: datetime) -> None:
        """A limited number of rows each time; a clock that runs ahead of the database's takes nothing away."""
        async with reaching(self._pool) as connection:
            for statement, age in (("burn_heads_idle", self._idle), ("burn_heads_quiet", self._quiet)):
                values = {"now": now, "age": age, "spare": QUIET_AFTER_SPARE, "limit": ROWS_AT_ONCE}
                await connection.execute(query(statement), values)

"""The ledger's own jobs, done by one leader among all collectors: refreshing sums, summing up what is over, and letting
go of what is old.

The leader is whoever holds an advisory lock; it ends with its connection, so a killed leader is followed at once. Where
the append keeps the sums itself, there is nothing to refresh.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from psycopg import Error

from ledger.block_calendars import build
from ledger.engine import Engine
from ledger.pool import Connection, configure
from ledger.refresh import SETTLE, refresh
from ledger.retention import retain
from sql import query

RETENTION_EVERY = timedelta(hours=1)
logger = logging.getLogger("ledger.jobs")


class Plan(NamedTuple):
    """What is done, and how often."""

    refresh_seconds: float = 5.0
    settle: timedelta = SETTLE
    keep_days: int = 0
    """Days for which entries are kept; 0: for good."""


class Jobs:
    """Leads, or waits to lead, until it is cancelled."""

    def __init__(
        self, connect: Callable[[], Awaitable[Connection]], engine: Engine, plan: Plan, now: Callable[[], datetime]
    ) -> None:
        self._connect = connect
        self._engine = engine
        self._plan = plan
        self._now = now
        self._retained_at: datetime | None = None

    async def run(self) -> None:
        """Does not return; a database that fails is asked again later."""
        while True:
            try:
                async with await self._connect() as connection:
                    await configure(connection)
                    await connection.execute(query("refresh_session"))
                    await self._lead(connection)
            except (Error, OSError) as fault:
                logger.warning("a job of the ledger failed", extra={"fault": type(fault).__name__})
            await asyncio.sleep(self._plan.refresh_seconds)

    async def _lead(self, connection: Connection) -> None:
        leads = False
        while True:
            leads = leads or await is_leader(connection)
            if leads:
                await self.once(connection)
            await asyncio.sleep(self._plan.refresh_seconds)

    async def once(self, connection: Connection) -> None:
        """One turn of the leader, on its connection in autocommit mode."""
        now = self._now()
        if not self._engine.keeps_rollups:
            await refresh(connection, now, self._plan.settle)
        await build(connection, self._engine, now, self._plan.settle)
        due = self._retained_at is None or now - self._retained_at >= RETENTION_EVERY
        if self._plan.keep_days and due and await retain(connection, self._engine, now, self._plan.keep_days):
            self._retained_at = now


async def is_leader(connection: Connection) -> bool:
    """Whether ``connection`` now leads; it stays so until it ends."""
    row = await (await connection.execute(query("refresh_lead"))).fetchone()
    return bool(row and row[0])


def autocommit(url: str) -> Callable[[], Awaitable[Connection]]:
    """Opens connections as the jobs need them."""

    async def connect() -> Connection:
        return await Connection.connect(url, autocommit=True, application_name="finops-jobs")

    return connect

"""Who judges: one process among all replicas, whoever holds an advisory lock on a connection of its own.

The lock ends with the connection, so a killed leader is followed at once. A leader that only stopped (its machine gone,
its process hung) no longer speaks on that connection; the server ends it then, and another leads within ten seconds.
"""

import asyncio
from collections.abc import Mapping

from psycopg import Error

from finops.spans import LedgerUnavailable
from ledger.patience import PatientConnection
from ledger.pool import DEAD_PEER
from sql import query

SILENT_SECONDS_MAX = 7
"""The server ends the leader's connection after so long without a word; a leader speaks every second or so."""
ANSWER_SECONDS_MAX = 3.0
"""A server that does not answer within this time is taken for gone, and the lead with it."""
_SERVER_SIDE: Mapping[str, int] = {
    "idle_session_timeout": SILENT_SECONDS_MAX * 1000,
    "tcp_keepalives_idle": 2,
    "tcp_keepalives_interval": 2,
    "tcp_keepalives_count": 2,
}


class Seat:
    """The one seat of the judge, as one process sees it. Needs a session of its own: no pooler by transaction."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: PatientConnection | None = None
        self._leads = False

    async def hold(self) -> bool:
        """Whether this process leads now; takes the lead where nobody has it.

        To be called more often than every ``SILENT_SECONDS_MAX``. Raises ``LedgerUnavailable``, and leads no more.
        """
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                return await self._hold()
        except (Error, OSError, TimeoutError) as fault:
            await self.leave()
            raise LedgerUnavailable(type(fault).__name__) from fault

    async def leave(self) -> None:
        """Gives the lead back, if it was this process's."""
        connection, self._connection, self._leads = self._connection, None, False
        if connection is not None:
            await connection.close()

    async def _hold(self) -> bool:
        if self._connection is None:
            options = " ".join(f"-c {name}={value}" for name, value in _SERVER_SIDE.items())
            self._connection = await PatientConnection.connect(
                self._url, autocommit=True, application_name="finops-judge-seat", options=options, **DEAD_PEER
            )
        statement = "judge_still_leads" if self._leads else "judge_lead"
        row = await (await self._connection.execute(query(statement))).fetchone()
        self._leads = bool(row and row[0])
        return self._leads

"""Connections that give up on a server that says nothing: the server's own timeouts end with the server.

A server whose processes are stopped, or whose disk hangs, keeps its sockets open and answers neither a query nor the
request to cancel it. Such a connection is hung up by the client and never used again; its pool opens another.
"""

import asyncio
import os
import socket
from typing import TypeVar

from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.waiting import wait_async

POLL_SECONDS = 0.1
T = TypeVar("T")


class PatientConnection(AsyncConnection[tuple[object, ...]]):
    """A connection with a limit for every wait for the server, and which is closed by a cancelled wait."""

    patience_seconds: float | None = None
    """After so long without an answer whoever waits gets ``OperationalError``; None: never."""

    async def wait(self, gen: PQGen[T], interval: float = POLL_SECONDS, timeout: float | None = None) -> T:
        """As psycopg's, but it never waits for the server to confirm that a query was cancelled."""
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        patience = self.patience_seconds
        alarm = None if patience is None else asyncio.get_running_loop().call_later(patience, self._hang_up)
        try:
            return await wait_async(gen, self.pgconn.socket, interval=interval)
        except asyncio.CancelledError:
            if self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()
            raise
        finally:
            if alarm is not None:
                alarm.cancel()

    def _hang_up(self) -> None:
        """Ends the conversation on the socket, which whoever waits takes for a server that went away."""
        if self.pgconn.status != ConnStatus.BAD:
            with socket.socket(fileno=os.dup(self.pgconn.socket)) as line:
                line.shutdown(socket.SHUT_RDWR)

"""uvicorn inside our own event loop: signals belong to ``__main__``, which drains first."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from doors.settings_values import Address

BACKLOG = 1024
KEEP_ALIVE_SECONDS = 30
STOP_SECONDS_MAX = 1.0
"""For connections to close once they were told to."""


class _Config(uvicorn.Config):
    tls: ssl.SSLContext | None = None

    def load(self) -> None:
        super().load()
        self.ssl = self.tls


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class HttpServer:
    """One application on one address."""

    def __init__(
        self, application: ASGIApp, address: Address, connections_max: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._address = address
        config = _Config(
            application,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections_max,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
        config.tls = tls
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Address:
        """Listens; returns where. Raises ``OSError`` where the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
        listener = socket.create_server((self._address.host, self._address.port), family=family, backlog=BACKLOG)
        listener.setblocking(False)
        self._task = asyncio.create_task(self._server.serve([listener]))
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            listener.close()
            await self._task
        return self._address._replace(port=int(listener.getsockname()[1]))

    async def stop(self, within_seconds: float) -> None:
        """Stops listening, lets requests inside finish, then closes every connection."""
        if self._task is None:
            return
        self._server.should_exit = True
        _, late = await asyncio.wait({self._task}, timeout=within_seconds)
        if late:
            self._server.force_exit = True
            await asyncio.wait({self._task}, timeout=STOP_SECONDS_MAX)

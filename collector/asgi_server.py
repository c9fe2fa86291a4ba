"""uvicorn inside our own event loop: it neither touches signals nor exits the process, and it does not wait for ever
for headers.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from collector.settings import Address

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
BACKLOG = 1024


class _Config(uvicorn.Config):
    header_seconds_max = 10.0
    tls: ssl.SSLContext | None = None

    def load(self) -> None:
        super().load()
        self.ssl = self.tls


class _Server(uvicorn.Server):
    """Signals belong to ``__main__``, which drains before it stops anybody."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class _ImpatientProtocol(H11Protocol):
    """Closes a connection whose next request line and headers take too long, also between requests."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _waits_for_headers(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch(self) -> None:
        if not self._waits_for_headers():
            self._forget()
        elif self._deadline is None:
            assert isinstance(self.config, _Config)
            self._deadline = self.loop.call_later(self.config.header_seconds_max, self._give_up)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._waits_for_headers():
            self.transport.close()


class AsgiServer:
    """One application on one address."""

    def __init__(
        self,
        application: Application,
        address: Address,
        *,
        connections_max: int,
        header_seconds_max: float,
        tls: ssl.SSLContext | None = None,
        reuse_port: bool = False,
    ) -> None:
        self._address = address
        self._reuse_port = reuse_port
        config = _Config(
            application,
            http=_ImpatientProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=connections_max,
        )
        config.header_seconds_max = header_seconds_max
        config.tls = tls
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Listen; returns the port. Raises ``OSError`` when the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
        listener = socket.create_server(
            (self._address.host, self._address.port), family=family, backlog=BACKLOG, reuse_port=self._reuse_port
        )
        listener.setblocking(False)
        self._task = asyncio.create_task(self._server.serve([listener]), name=f"http {self._address}")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._task, listening}, return_when=asyncio.FIRST_COMPLETED)
        if not listening.done():
            listening.cancel()
            listener.close()
            await self._task
        return int(listener.getsockname()[1])

    async def stop(self, within_seconds: float) -> None:
        """Stop listening, let requests inside finish for ``within_seconds``, then close every connection."""
        if self._task is None:
            return
        self._server.should_exit = True
        _, late = await asyncio.wait({self._task}, timeout=within_seconds)
        if late:
            self._server.force_exit = True
            self._task.cancel()
            await asyncio.wait({self._task})

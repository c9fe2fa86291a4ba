"""Answers too long to be held: sent piece by piece, at the pace of whoever reads, and dropped when they go away.

A reader who takes nothing for too long, or who hangs up, ends the answer; what feeds it is closed in any case. When the
ledger fails in the middle, the connection is broken off, so that half an answer never looks like a whole one.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.types import Receive, Scope, Send

_log = logging.getLogger("query_api")

Pieces = AsyncGenerator[bytes, None]


class BrokenOff(RuntimeError):
    """An answer could not be finished; the server closes the connection."""


async def begun(pieces: Pieces) -> Pieces:
    """``pieces`` once the first has come: whatever is wrong from the start is raised here, not in the middle."""
    try:
        first = await anext(pieces, b"")
    except BaseException:
        await pieces.aclose()
        raise
    return _resumed(first, pieces)


async def _resumed(first: bytes, rest: Pieces) -> Pieces:
    async with aclosing(rest):
        yield first
        async for piece in rest:
            yield piece


class StreamedResponse:
    """An ASGI response of pieces."""

    def __init__(self, pieces: Pieces, headers: Mapping[str, str], stall_seconds: float) -> None:
        self._pieces = pieces
        self._headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the pieces; for HEAD, none."""
        async with aclosing(self._pieces) as pieces:
            await send({"type": "http.response.start", "status": 200, "headers": self._headers})
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            sending = asyncio.ensure_future(self._send(pieces, send))
            leaving = asyncio.ensure_future(_gone(receive))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, leaving):
                    task.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)
            if not sending.cancelled() and (fault := sending.exception()) is not None:
                _log.warning("an export of %s broke off: %s", scope.get("path", ""), type(fault).__name__)
                raise BrokenOff(type(fault).__name__) from fault

    async def _send(self, pieces: Pieces, send: Send) -> None:
        async for piece in pieces:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

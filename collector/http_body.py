"""Reads the body of one HTTP export, inflating gzip in small bounded pieces: a bomb costs no more than its limit."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

from collector.otlp_status import Answer, Outcome, refuse

GZIP_MEMBERS_MAX = 64
PIECE_BYTES = 256 * 1024
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
Receive = Callable[[], Awaitable[dict[str, Any]]]


class SenderGone(Exception):
    """The connection ended before the body did: there is nobody to answer."""


class Body:
    """Pieces of a body, at most ``bytes_max`` of them both as sent and inflated."""

    def __init__(self, *, gzipped: bool, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._pieces: list[bytes] = []
        self._sent = 0
        self._size = 0
        self._inflater = zlib.decompressobj(_GZIP_WINDOW) if gzipped else None
        self._gzipped = gzipped
        self._members = 1

    async def read(self, receive: Receive) -> bytes | Answer:
        """The whole body, or what to answer. Raises ``SenderGone``."""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise SenderGone
            more = message.get("more_body", False)
            try:
                await self._take(message.get("body", b""))
            except zlib.error:
                return refuse(Outcome.UNDECODABLE, "not gzip")
            if self._size > self._bytes_max or self._sent > self._bytes_max:
                return too_large(self._bytes_max)
        if self._gzipped and self._sent and self._inflater is not None:
            return refuse(Outcome.UNDECODABLE, "the gzip stream ends early")
        return b"".join(self._pieces)

    async def _take(self, chunk: bytes) -> None:
        self._sent += len(chunk)
        if not self._gzipped:
            self._keep(chunk)
            return
        while chunk and self._size <= self._bytes_max:
            if self._inflater is None:
                self._next_member()
            chunk = await self._inflate(chunk)

    async def _inflate(self, chunk: bytes) -> bytes:
        """Inflates one chunk to the end of it or of a gzip member; returns what follows that member."""
        inflater = self._inflater
        assert inflater is not None
        while True:
            room = min(PIECE_BYTES, self._bytes_max + 1 - self._size)
            piece = inflater.decompress(chunk, room)
            self._keep(piece)
            if inflater.eof:
                self._inflater = None
                return inflater.unused_data
            chunk = inflater.unconsumed_tail
            if self._size > self._bytes_max or (not chunk and len(piece) < room):
                return b""
            await asyncio.sleep(0)

    def _next_member(self) -> None:
        self._members += 1
        if self._members > GZIP_MEMBERS_MAX:
            raise zlib.error("too many gzip members")
        self._inflater = zlib.decompressobj(_GZIP_WINDOW)

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._bytes_max:
            self._pieces.append(piece)


def too_large(bytes_max: int) -> Answer:
    """The refusal of a body over the limit."""
    return refuse(Outcome.TOO_LARGE, f"the body is larger than {bytes_max} bytes after decompression")

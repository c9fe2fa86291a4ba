"""HTTP/2 by hand: a client that sends what it likes and shows every frame of the server, unlike any library."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
ACK, END_HEADERS = 1, 4
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_HEADER_LIST_SIZE = 3, 4, 6
EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Frame(NamedTuple):
    """One frame of the server."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def settings(self) -> dict[int, int]:
        """Of a SETTINGS frame."""
        return dict(struct.iter_unpack(">HI", self.payload))


class Client:
    """One connection; it answers nothing by itself."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> None:
        """One frame."""
        head = len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4)
        self._writer.write(head + payload)

    def begin_export(self, stream: int = 1) -> None:
        """Headers of an export whose body never comes."""
        fields = (
            (":method", "POST"), (":scheme", "http"), (":path", EXPORT), (":authority", "us"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        )  # fmt: skip
        block = b"".join(b"\x00" + b"".join(bytes((len(word),)) + word.encode() for word in pair) for pair in fields)
        self.send(HEADERS, END_HEADERS, stream, block)

    async def frame(self) -> Frame | None:
        """The next; None: the server has hung up."""
        try:
            head = await self._reader.readexactly(9)
            payload = await self._reader.readexactly(int.from_bytes(head[:3]))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return Frame(head[3], head[4], int.from_bytes(head[5:]), payload)

    async def frames(self, seconds: float, until: int | None = None) -> list[Frame]:
        """Those that come within so many seconds, or until there is one of a kind."""
        found: list[Frame] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while frame := await self.frame():
                    found.append(frame)
                    if frame.kind == until and not frame.flags & ACK:
                        break
        return found

    async def closed(self, seconds: float) -> bool:
        """Whether the server hangs up within so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self.frame():
                    pass
                return True
        return False


@asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[Client]:
    """A connection that has said hello and heard the server's settings."""
    reader, writer = await asyncio.open_connection(host, port)
    client = Client(reader, writer)
    writer.write(PREFACE)
    client.send(SETTINGS)
    try:
        yield client
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

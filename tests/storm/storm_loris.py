"""Slow lorises: hundreds of connections that say nothing, or a byte a second, at both doors, beside a good sender."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from integration.http2_by_hand import DATA, Client, connected
from storm.storm_flood import Load, Sent, send

BYTE_SECONDS = 1.0
HEADERS = b"POST /v1/traces HTTP/1.1\r\nhost: us\r\ncontent-type: application/x-protobuf\r\n"
At = tuple[str, int]


class Loris(NamedTuple):
    """A way to be slow."""

    connections: int
    holds: Callable[[At], Awaitable[None]]
    """Until the server has had enough."""
    door: str


async def says_nothing(at: At) -> None:
    reader, writer = await asyncio.open_connection(*at)
    await _drips(reader, writer, b"")


async def drips_headers(at: At) -> None:
    reader, writer = await asyncio.open_connection(*at)
    writer.write(b"POST /v1/traces HTTP/1.1\r\nhost: us\r\nx-slow: ")
    await _drips(reader, writer, b"a")


async def drips_a_body(at: At) -> None:
    reader, writer = await asyncio.open_connection(*at)
    writer.write(HEADERS + b"content-length: 4000\r\n\r\n")
    await _drips(reader, writer, b"\x0a")


async def drips_an_export(at: At) -> None:
    """Over HTTP/2: a message of 4,000 bytes is announced."""
    async with connected(*at) as client:
        client.begin_export()
        client.send(DATA, stream=1, payload=b"\0" + (4000).to_bytes(4))
        dripping = asyncio.create_task(_drip_frames(client))
        try:
            while (frame := await client.frame()) is not None and not (frame.stream == 1 and frame.flags & 1):
                pass  # until the export is answered
        finally:
            dripping.cancel()


async def _drip_frames(client: Client) -> None:
    while True:
        client.send(DATA, stream=1, payload=b"\x0a")
        await asyncio.sleep(BYTE_SECONDS)


async def _drips(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, byte: bytes) -> None:
    """Reads to the end, which is the server's."""
    reading = asyncio.create_task(_to_the_end(reader))
    try:
        while not reading.done():
            writer.write(byte)
            await asyncio.wait({reading}, timeout=BYTE_SECONDS)
    finally:
        reading.cancel()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def _to_the_end(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(4096):
            pass
    except ConnectionError:
        return


LORISES = {
    "gRPC, nothing": Loris(200, says_nothing, "grpc"),
    "gRPC, an export a byte a second": Loris(100, drips_an_export, "grpc"),
    "HTTP, nothing": Loris(50, says_nothing, "http"),
    "HTTP, headers a byte a second": Loris(100, drips_headers, "http"),
    "HTTP, a body a byte a second": Loris(50, drips_a_body, "http"),
}


class Siege(NamedTuple):
    """What came of it."""

    held_seconds: dict[str, float]
    """Until the last of each kind was gone or answered."""
    left: Counter[str]
    """Connections that were there when the time was up."""
    good: Sent


async def besieged(grpc: At, http: At, good: Load, seconds: float) -> Siege:
    """All at once; a good sender goes on meanwhile."""
    held: dict[str, float] = {}
    left: Counter[str] = Counter()
    until = asyncio.Event()
    sending = asyncio.create_task(send(f"{grpc[0]}:{grpc[1]}", good, until))
    began = time.monotonic()

    async def hold(name: str, loris: Loris) -> None:
        try:
            async with asyncio.timeout(seconds):
                await loris.holds(grpc if loris.door == "grpc" else http)
            held[name] = max(held.get(name, 0.0), time.monotonic() - began)
        except TimeoutError:
            left[name] += 1

    async with asyncio.TaskGroup() as tasks:
        for name, loris in LORISES.items():
            for _ in range(loris.connections):
                tasks.create_task(hold(name, loris))
    until.set()
    return Siege(held, left, await sending)

"""Every option of the gRPC server does what it is set for, and nothing does it where the option is left out."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import grpc
import grpc.aio
import pytest
from integration.http2_by_hand import (
    ACK,
    DATA,
    EXPORT,
    GOAWAY,
    INITIAL_WINDOW_SIZE,
    MAX_CONCURRENT_STREAMS,
    MAX_HEADER_LIST_SIZE,
    PING,
    SETTINGS,
    connected,
)

from collector import receiver
from collector.settings import Address

SOON_SECONDS = 3.0
"""Timeouts of the cases are at most a second; none of grpcio's own is below twenty."""
Observe = Callable[[Address], Awaitable[object]]


async def may_listen_beside(at: Address) -> bool:
    """Whether another process could take the port, too, and half of what is sent."""
    await asyncio.sleep(0)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        with contextlib.suppress(OSError):
            other.bind(tuple(at))
            return True
    return False


async def takes_5_mib(at: Address) -> bool:
    async with grpc.aio.insecure_channel(str(at)) as channel:
        try:
            await channel.unary_unary(EXPORT)(b"\x7a\x80\x80\xc0\x02" + bytes(5 << 20), timeout=20)
        except grpc.aio.AioRpcError as refused:
            return refused.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED
    return True


def setting(number: int) -> Observe:
    async def told(at: Address) -> object:
        async with connected(*at) as client:
            frames = await client.frames(SOON_SECONDS, until=SETTINGS)
            return frames[-1].settings.get(number)

    return told


async def pings_when_data_comes(at: Address) -> bool:
    async with connected(*at) as client:
        client.begin_export()
        client.send(DATA, stream=1, payload=bytes(5000))
        return any(frame.kind == PING and not frame.flags & ACK for frame in await client.frames(1.0, until=PING))


async def takes_pings(at: Address) -> bool:
    """A dozen pings, and it stays."""
    async with connected(*at) as client:
        client.begin_export()
        for number in range(12):
            client.send(PING, payload=number.to_bytes(8))
            await asyncio.sleep(0.02)
        return not await client.closed(1.0)


def comes(kind: int, *, calling: bool) -> Observe:
    """Whether the server sends such a frame soon."""

    async def seen(at: Address) -> bool:
        async with connected(*at) as client:
            if calling:
                client.begin_export()
            frames = await client.frames(SOON_SECONDS, until=kind)
            return any(frame.kind == kind and not frame.flags & ACK for frame in frames)

    return seen


async def hangs_up(at: Address) -> bool:
    """On a peer that calls and answers nothing."""
    async with connected(*at) as client:
        client.begin_export()
        return await client.closed(SOON_SECONDS)


async def hangs_up_on_the_mute(at: Address) -> bool:
    reader, writer = await asyncio.open_connection(*at)
    try:
        async with asyncio.timeout(SOON_SECONDS):
            while await reader.read(1024):
                pass
        return True
    except TimeoutError:
        return False
    finally:
        writer.close()


class Case(NamedTuple):
    """One option: the settings it is tried with, how it is seen, and what is seen with it."""

    settings: dict[str, str]
    observe: Observe
    expected: object


ALIVE = {"FINOPS_GRPC_KEEPALIVE_MS": "1000", "FINOPS_GRPC_KEEPALIVE_TIMEOUT_MS": "100"}
AGED = {"FINOPS_GRPC_AGE_MS_MAX": "1000", "FINOPS_GRPC_AGE_GRACE_MS": "100"}
CASES = {
    "grpc.so_reuseport": Case({}, may_listen_beside, False),
    "grpc.max_receive_message_length": Case({}, takes_5_mib, True),
    "grpc.max_concurrent_streams": Case({}, setting(MAX_CONCURRENT_STREAMS), 16),
    "grpc.http2.bdp_probe": Case({}, pings_when_data_comes, False),
    "grpc.http2.lookahead_bytes": Case({"FINOPS_GRPC_LOOKAHEAD_BYTES": "20000"}, setting(INITIAL_WINDOW_SIZE), 20_000),
    "grpc.http2.min_ping_interval_without_data_ms": Case(
        {"FINOPS_GRPC_PING_MS_MIN": "0", "FINOPS_GRPC_PING_STRIKES_MAX": "1"}, takes_pings, True
    ),
    "grpc.http2.max_ping_strikes": Case({"FINOPS_GRPC_PING_MS_MIN": "600000"}, takes_pings, True),
    "grpc.keepalive_permit_without_calls": Case(ALIVE, comes(PING, calling=False), True),
    "grpc.keepalive_time_ms": Case(ALIVE, comes(PING, calling=True), True),
    "grpc.http2.ping_timeout_ms": Case(ALIVE, hangs_up, True),
    "grpc.max_connection_idle_ms": Case({"FINOPS_GRPC_IDLE_MS_MAX": "200"}, comes(GOAWAY, calling=False), True),
    "grpc.max_connection_age_ms": Case(AGED, comes(GOAWAY, calling=True), True),
    "grpc.max_connection_age_grace_ms": Case(AGED, hangs_up, True),
    "grpc.server_handshake_timeout_ms": Case({"FINOPS_GRPC_HANDSHAKE_MS_MAX": "200"}, hangs_up_on_the_mute, True),
    "grpc.max_metadata_size": Case({}, setting(MAX_HEADER_LIST_SIZE), 16_384 * 5 // 4),
}


async def test_every_option_is_needed(start_collector, monkeypatch: pytest.MonkeyPatch) -> None:
    left_out = ""
    options = receiver.grpc_options
    monkeypatch.setattr(
        receiver, "grpc_options", lambda settings: [pair for pair in options(settings) if pair[0] != left_out]
    )
    watching: dict[str, list[asyncio.Task[object]]] = {}
    for name, case in CASES.items():
        watching[name] = []
        for left_out in ("", name):  # noqa: B007 - the patch above reads it
            running = await start_collector(**case.settings)
            watching[name].append(asyncio.ensure_future(case.observe(running.at.grpc)))
    seen = {name: [await task for task in tasks] for name, tasks in watching.items()}
    assert {name: found[0] for name, found in seen.items()} == {name: case.expected for name, case in CASES.items()}
    assert [name for name, (with_it, without) in seen.items() if with_it == without] == []


async def test_every_option_is_tried(start_collector, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[str] = []
    options = receiver.grpc_options

    def noted(settings: object) -> list[tuple[str, int]]:
        found = options(settings)  # type: ignore[arg-type]
        used.extend(name for name, _ in found)
        return found

    monkeypatch.setattr(receiver, "grpc_options", noted)
    await start_collector()
    assert set(used) == CASES.keys()

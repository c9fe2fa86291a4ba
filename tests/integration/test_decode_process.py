"""Large exports are decoded in a process of their own, whatever becomes of it."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc.aio
import pytest
from storm.storm_traffic import Traffic

from collector.decode import Decoded, Undecodable, decode_traces
from collector.decode_process import Lost
from collector.decoders import DECODERS
from collector.decoding import START_AGAIN_SECONDS, Decoding
from collector.metrics import DECODE_PROCESSES, Metrics
from collector.otlp_status import Encoding, Signal

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
NOW_NS = 1_790_000_000_000_000_000


class Bench:
    """Decoding with a clock that is set, where every body is large."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.metrics = Metrics()
        self.decoding = Decoding(DECODERS, self.metrics, lambda: self.seconds, inline_bytes_max=0, in_process=True)

    async def decode(self, body: bytes, encoding: Encoding = Encoding.PROTOBUF) -> Decoded:
        return await self.decoding.decode(Signal.TRACES, encoding, "acme", NOW_NS, body)

    async def ready(self, body: bytes) -> int:
        """The process' number, once it is ready."""
        async with asyncio.timeout(20):
            while (process := self.decoding._process) is None or not process.is_ready or process.is_lost:
                await self.decode(body)
                await asyncio.sleep(0.02)
        return process.pid

    @property
    def started(self) -> float:
        return self.metrics.value(DECODE_PROCESSES)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    bench.decoding.close()


@pytest.fixture
def bodies() -> list[bytes]:
    traffic = Traffic(11)
    return [traffic.next().body for _ in range(20)]


def runs(pid: int) -> bool:
    """Whether a process is there and not only waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(0.01)


async def test_the_process_says_what_would_be_said_in_place(bench: Bench, bodies: list[bytes]) -> None:
    expected = [decode_traces(body, "acme", NOW_NS) for body in bodies]
    assert [await bench.decode(body) for body in bodies] == expected
    await bench.ready(bodies[0])
    assert await asyncio.gather(*(bench.decode(body) for body in bodies)) == expected
    with pytest.raises(Undecodable):
        await bench.decode(b"\xff" * 40)
    assert await bench.decode(bodies[1]) == expected[1]
    assert bench.started == 1


async def test_what_a_killed_process_had_is_lost_and_another_is_started_a_while_later(
    bench: Bench, bodies: list[bytes]
) -> None:
    pid = await bench.ready(bodies[0])
    os.kill(pid, signal.SIGSTOP)
    waiting = [asyncio.create_task(bench.decode(body)) for body in bodies]
    await asyncio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {Lost}
    assert await bench.decode(bodies[0]) == decode_traces(bodies[0], "acme", NOW_NS), (
        "then nothing is decoded meanwhile"
    )
    assert bench.started == 1
    await until(lambda: not runs(pid))
    bench.seconds += START_AGAIN_SECONDS
    assert await bench.ready(bodies[0]) != pid
    assert bench.started == 2


async def test_the_process_is_not_ended_by_the_signal_that_its_group_gets_and_ends_with_what_asked(
    bench: Bench, bodies: list[bytes]
) -> None:
    pid = await bench.ready(bodies[0])
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    assert await bench.decode(bodies[0]) == decode_traces(bodies[0], "acme", NOW_NS)
    bench.decoding.close()
    assert not runs(pid)


PARENT = """
import asyncio, sys, time
from collector.decoders import DECODERS
from collector.decoding import Decoding
from collector.metrics import Metrics
from collector.otlp_status import Encoding, Signal

async def main():
    decoding = Decoding(DECODERS, Metrics(), time.monotonic, inline_bytes_max=0, in_process=True)
    await decoding.decode(Signal.TRACES, Encoding.PROTOBUF, "", 1, bytes((10, 0)))
    print(decoding._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_the_process_does_not_outlive_a_killed_collector() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert runs(pid)
    parent.kill()
    await until(lambda: not runs(pid))
    await parent.communicate()


async def test_a_sender_whose_export_was_lost_is_told_to_send_it_again(start_collector, bodies: list[bytes]) -> None:
    collector = await start_collector(FINOPS_INLINE_DECODE_BYTES_MAX="0")
    decoding = collector.service._decoding
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        call = channel.unary_unary(EXPORT)
        await call(bodies[0])
        await until(lambda: decoding._process is not None and decoding._process.is_ready)
        os.kill(decoding._process.pid, signal.SIGSTOP)
        answering = asyncio.ensure_future(call(bodies[1]))
        await until(lambda: bool(decoding._process._waiting))
        os.kill(decoding._process.pid, signal.SIGKILL)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await answering
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        before = len(collector.ledger.records)
        await call(bodies[1])
    assert len(collector.ledger.records) > before


async def test_without_the_process_a_thread_decodes(start_collector, bodies: list[bytes]) -> None:
    collector = await start_collector(FINOPS_INLINE_DECODE_BYTES_MAX="0", FINOPS_DECODE_PROCESS="0")
    async with grpc.aio.insecure_channel(str(collector.at.grpc)) as channel:
        await channel.unary_unary(EXPORT)(bodies[0])
    assert collector.ledger.records == decode_traces(bodies[0], "", time.time_ns()).records
    assert collector.service._decoding._process is None

"""Floods: more than there is room for, from many connections at once, while the database stands still or not.

Every sender keeps its export until it is acknowledged, as senders do. Who watches sees the memory of the collector and
of its decoding process, how long other senders wait, and what of it all is in the ledger at the end.
"""

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import grpc.aio
import psycopg
from storm.storm_processes import Collector, Server, environment_of, proportional_mib
from storm.storm_senders import CHANNEL_OPTIONS, EXPORT, RETRYABLE

AGAIN_SECONDS = 0.1
"""Between two attempts with an export that was refused."""
WATCH_SECONDS = 0.1
Metadata = tuple[tuple[str, str], ...]


class Load(NamedTuple):
    """Connections that send as fast as they are answered, or ``pause_seconds`` later."""

    connections: int
    make: Callable[[], bytes]
    """The next export, of ``spans`` spans."""
    spans: int
    token: str = ""
    pause_seconds: float = 0.0

    @property
    def metadata(self) -> Metadata:
        """Who is sending."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()


class Sent:
    """What became of a load."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.answers: Counter[str] = Counter()
        self.seconds: list[float] = []
        """From the first attempt to the acknowledgement, of each export."""

    def milliseconds(self, share: float) -> float:
        """Such a share of the acknowledgements took no longer."""
        ordered = sorted(self.seconds)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


async def send(address: str, load: Load, until: asyncio.Event) -> Sent:
    """Until told otherwise; what has begun then is carried to its end."""
    sent = Sent()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(load.connections):
            tasks.create_task(_send_over_one(address, load, until, sent))
    return sent


async def _send_over_one(address: str, load: Load, until: asyncio.Event, sent: Sent) -> None:
    own = [*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(address, options=own) as channel:
        call = channel.unary_unary(EXPORT)
        while not until.is_set():
            body, began = load.make(), time.monotonic()
            await _deliver(call, body, load.metadata, sent)
            sent.seconds.append(time.monotonic() - began)
            sent.acknowledged += load.spans
            await asyncio.sleep(load.pause_seconds)


async def _deliver(call: Any, body: bytes, metadata: Metadata, sent: Sent) -> None:
    code = ""
    while code != "OK":
        if code:
            await asyncio.sleep(AGAIN_SECONDS)
        try:
            await call(body, timeout=30, metadata=metadata)
            code = "OK"
        except grpc.aio.AioRpcError as refused:
            code = refused.code().name
            if refused.code() not in RETRYABLE:
                raise
        sent.answers[code] += 1


@contextmanager
def stalled(postgres: Server) -> Iterator[None]:
    """None of the server's processes gets anywhere."""
    pids = postgres.pids()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


class Memory:
    """The largest and the last that was seen of a process and of those it started, in MiB."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self.peak = 0.0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self) -> float:
        """All of it."""
        return proportional_mib(self._pid)

    def stop(self) -> None:
        """No more is seen."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(WATCH_SECONDS):
            self.peak = max(self.peak, self.now())


async def sent_while(address: str, loads: Sequence[Load], seconds: float, meanwhile: Callable[[], Any]) -> list[Sent]:
    """All loads at once for so long; ``meanwhile`` runs in a thread beside them."""
    until = asyncio.Event()
    tasks = [asyncio.create_task(send(address, load, until)) for load in loads]
    try:
        await asyncio.gather(asyncio.sleep(seconds), asyncio.to_thread(meanwhile))
    finally:
        until.set()
    return list(await asyncio.gather(*tasks))


@contextmanager
def collector_over(
    postgres: Server, directory: Path, settings: Mapping[str, str] = {}, command: tuple[str, ...] = ("-m", "collector")
) -> Iterator[tuple[Collector, str, Memory]]:
    """A collector over a database of its own, with that database's address and the collector's memory."""
    url = postgres.database()
    collector = Collector(environment_of(url, settings), command, directory / "collector.log")
    collector.start()
    memory = Memory(collector.pid)
    try:
        yield collector, url, memory
    finally:
        memory.stop()
        collector.stop()


def calls_in(url: str) -> int:
    """That the ledger counted."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select coalesce(sum(calls), 0) from entries").fetchone()
    assert row is not None
    return int(row[0])

"""The senders of a storm, as a program of their own: many tasks that send until they are answered, and then some.

Arguments: a JSON object {seed, addresses, senders, pause_seconds, spans_per_second, overlap, acknowledged}. Sends until
standard input ends, then delivers what is under way and prints one JSON object: what was sent, how it was answered,
how long the answers took in each minute, and what it must cost. The ids of acknowledged spans go to the file named by
``acknowledged``. ``spans_per_second`` 0: as fast as they are answered. ``overlap``: every export goes to every address.

A patient sender never gives up. It may hang up early and send again, send twice at once, or send again what was
acknowledged long ago, each time to whatever replica.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from storm.storm_traffic import Sent, Traffic

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
RETRYABLE = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}
CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 300)]
REMEMBERED_MAX = 500
FINISH_SECONDS = 90


class Senders:
    """All tasks of one load."""

    def __init__(self, asked: dict[str, Any]) -> None:
        seed: int = asked["seed"]
        self.traffic = Traffic(seed)
        self.counts: Counter[str] = Counter()
        self.seconds: defaultdict[int, list[float]] = defaultdict(list)
        """Until an acknowledgement, by the minute it was given in."""
        self.acknowledged: set[tuple[bytes, bytes]] = set()
        self.chance = random.Random(seed + 1)
        self.stopping = False
        self._pause_seconds: float = asked["pause_seconds"]
        self._spans_per_second: float = asked["spans_per_second"]
        self._overlap: bool = asked["overlap"]
        self._began = time.monotonic()
        self._done: list[Sent] = []
        channels = [grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS) for address in asked["addresses"]]
        self._channels = channels
        self._calls: list[Any] = [channel.unary_unary(EXPORT) for channel in channels]

    async def run(self) -> None:
        """One task: new exports until it is told to stop; each until it is acknowledged."""
        while not self.stopping:
            await self._deliver_somehow(self._counted(self.traffic.next()))
            await self._again()
            await asyncio.sleep(self._ahead_seconds() or self.chance.uniform(0, self._pause_seconds))

    async def finish(self) -> None:
        """Delivers what is missing, so that every conversation is whole."""
        await self._deliver_somehow(self._counted(self.traffic.rest()))

    def _ahead_seconds(self) -> float:
        """Of the clock that ``spans_per_second`` is."""
        if not self._spans_per_second:
            return 0.0
        return max(0.0, self.counts["spans"] / self._spans_per_second - (time.monotonic() - self._began))

    async def _deliver_somehow(self, sent: Sent) -> None:
        """To every replica, in any order and at once; or to one; or twice at once."""
        if self._overlap:
            self.counts["overlapping"] += 1
            everywhere = self.chance.sample(self._calls, len(self._calls))
            await asyncio.gather(*(self._deliver(sent, call) for call in everywhere))
        elif self.chance.random() < 0.1:
            self.counts["doubled"] += 1
            await asyncio.gather(self._deliver(sent), self._deliver(sent))
        else:
            await self._deliver(sent)

    def _counted(self, sent: Sent) -> Sent:
        self.counts["exports"] += 1
        self.counts["spans"] += len(sent.spans)
        return sent

    async def _deliver(self, sent: Sent, to: Any = None) -> None:
        seconds = self.chance.uniform(0.005, 0.05) if self.chance.random() < 0.1 else 5.0
        while not await self._acknowledged(sent, seconds, to):
            seconds = 5.0
        self.acknowledged.update(sent.spans)
        self.counts["acknowledged"] += 1
        self._done.append(sent)
        if len(self._done) > REMEMBERED_MAX:
            del self._done[self.chance.randrange(REMEMBERED_MAX)]

    async def _again(self) -> None:
        """Sends something that was acknowledged before, once in a while."""
        if self._done and self.chance.random() < 0.15:
            self.counts["redelivered"] += 1
            await self._acknowledged(self.chance.choice(self._done), 5.0)

    async def _acknowledged(self, sent: Sent, seconds: float, to: Any = None) -> bool:
        began = time.monotonic()
        try:
            answer = await (to or self.chance.choice(self._calls))(sent.body, timeout=seconds)
        except grpc.aio.AioRpcError as refused:
            kind = "retryable" if refused.code() in RETRYABLE else f"final {refused.code().name}"
            self.counts[kind] += 1
            await asyncio.sleep(self.chance.uniform(0.02, 0.1))
            return False
        ended = time.monotonic()
        self.seconds[int((ended - self._began) // 60)].append(ended - began)
        if answer:
            self.counts["partial"] += 1
        return True

    def milliseconds(self) -> list[list[float]]:
        """p50 and p99 of the answers of each minute."""
        sorted_ = [sorted(taken) for _, taken in sorted(self.seconds.items())]
        return [[round(1000 * taken[int(share * len(taken))], 1) for share in (0.5, 0.99)] for taken in sorted_]

    async def close(self) -> None:
        """Hang up."""
        for channel in self._channels:
            await channel.close()


def write_ids(path: Path, spans: set[tuple[bytes, bytes]]) -> None:
    path.write_text("".join(f"{trace.hex()} {span.hex()}\n" for trace, span in spans))


async def main(asked: dict[str, Any]) -> None:
    senders = Senders(asked)
    tasks = [asyncio.create_task(senders.run()) for _ in range(asked["senders"])]
    await asyncio.to_thread(sys.stdin.read)
    senders.stopping = True
    tasks.append(asyncio.create_task(senders.finish()))
    _, late = await asyncio.wait(tasks, timeout=FINISH_SECONDS)
    for task in tasks:
        if task.done():
            task.result()
    await senders.close()
    write_ids(Path(asked["acknowledged"]), senders.acknowledged)
    told = {
        "counts": senders.counts,
        "truth": senders.traffic.truth.by_agent,
        "unanswered": len(late),
        "milliseconds": senders.milliseconds(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

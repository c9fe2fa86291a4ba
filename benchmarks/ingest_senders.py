"""Senders of the ingestion benchmark, as a program of their own, so that what they cost is seen apart.

Arguments: a JSON object {address, spans, shape, senders, seconds, warmup_seconds, rate, seed, token}. ``rate`` in spans
a second sends by the clock, whatever the answers do; without it each sender sends when its last export was answered.
Prints one JSON object: spans acknowledged while it was measured and in all, refusals, and latencies in milliseconds.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import grpc
import grpc.aio

from benchmarks.ingest_traffic import Template

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
TEMPLATES = 4
AHEAD = 2
"""Exports made before they are asked for, of a sender that waits."""


class Load:
    """All senders, and what they saw."""

    def __init__(self, asked: dict[str, Any]) -> None:
        self._asked = asked
        self._templates = [
            Template(asked["spans"], asked["shape"], asked["seed"] + number) for number in range(TEMPLATES)
        ]
        self.counts: Counter[str] = Counter()
        self.latencies: list[float] = []
        self._metadata = [("authorization", f"Bearer {asked['token']}")] if asked.get("token") else None
        self._measured = 0.0, 0.0

    async def run(self) -> None:
        """Sends, and waits for every answer."""
        began = time.monotonic()
        self._measured = began + self._asked["warmup_seconds"], began + self._asked["seconds"]
        async with grpc.aio.insecure_channel(self._asked["address"]) as warm:
            await warm.channel_ready()
        channels = [
            grpc.aio.insecure_channel(self._asked["address"], options=[("grpc.use_local_subchannel_pool", 1)])
            for _ in range(self._asked["senders"])
        ]
        calls = [channel.unary_unary(EXPORT) for channel in channels]
        if self._asked.get("rate"):
            await self._by_the_clock(calls)
        else:
            await asyncio.gather(*(self._in_turn(call, number) for number, call in enumerate(calls)))
        for channel in channels:
            await channel.close()

    async def _in_turn(self, call: Any, number: int) -> None:
        template = self._templates[number % TEMPLATES]
        while time.monotonic() < self._measured[1]:
            if not await self._send(call, template.export(), template.spans):
                await asyncio.sleep(0.05)

    async def _by_the_clock(self, calls: list[Any]) -> None:
        every = self._asked["spans"] / self._asked["rate"]
        due, number = time.monotonic(), 0
        under_way = set()
        while due < self._measured[1]:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            template = self._templates[number % TEMPLATES]
            task = asyncio.create_task(self._send(calls[number % len(calls)], template.export(), template.spans))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            number += 1
            due += every
        await asyncio.gather(*under_way)

    async def _send(self, call: Any, body: bytes, spans: int) -> bool:
        began = time.monotonic()
        try:
            await call(body, timeout=20, metadata=self._metadata)
        except grpc.aio.AioRpcError as refused:
            self.counts[refused.code().name] += 1
            return False
        ended = time.monotonic()
        self.counts["acknowledged"] += spans
        if self._measured[0] <= ended < self._measured[1]:
            self.counts["measured"] += spans
            self.latencies.append((ended - began) * 1000)
        return True


def percentile(values: list[float], share: float) -> float:
    """Of sorted values; 0 where there are none."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


def main(asked: dict[str, Any]) -> None:
    load = Load(asked)
    print("made", flush=True)
    sys.stdin.readline()
    asyncio.run(load.run())
    latencies = sorted(load.latencies)
    found = {f"p{share * 100:g}": percentile(latencies, share) for share in (0.5, 0.99)}
    print(json.dumps({"counts": load.counts, **found}), flush=True)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

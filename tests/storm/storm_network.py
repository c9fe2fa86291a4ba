"""A bad network in front of a collector, as a program of its own: a TCP proxy that changes its mind.

Arguments: a JSON object {target, seed}. Prints its own address. Every fraction of a second it passes bytes on, or
in slices, or late, or swallows them, or swallows only the answers, or resets every connection. Prints how often it did
what when standard input ends.
"""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections import Counter

MOODS = ("pass", "pass", "pass", "slices", "late", "black hole", "answers lost", "reset")
MOOD_SECONDS = 0.2, 0.8


class Network:
    """All connections through the proxy."""

    def __init__(self, target: str, seed: int) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self.chance = random.Random(seed)
        self.mood = "pass"
        self.counts: Counter[str] = Counter()
        self._writers: set[asyncio.StreamWriter] = set()

    async def change(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self.chance.uniform(*MOOD_SECONDS))
            self.mood = self.chance.choice(MOODS)
            self.counts[self.mood] += 1
            if self.mood == "reset":
                for writer in list(self._writers):
                    writer.transport.abort()
                self.mood = "pass"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, back}
        try:
            await asyncio.gather(self._pump(reader, back, False), self._pump(there, writer, True))
        finally:
            for end in (writer, back):
                self._writers.discard(end)
                end.transport.abort()

    async def _swallows(self, is_answer: bool) -> bool:
        """Holds bytes back as long as the mood lasts; True: then they are gone, and with them the connection."""
        held = self.mood
        if not (held == "black hole" or (is_answer and held == "answers lost")):
            return False
        while self.mood == held:  # noqa: ASYNC110 - a mood has no event
            await asyncio.sleep(0.02)
        gone = held == "answers lost" or self.chance.random() < 0.5
        self.counts["swallowed"] += gone
        return gone

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(65_536):
                if self.mood == "late":
                    await asyncio.sleep(self.chance.uniform(0.02, 0.2))
                if await self._swallows(is_answer):
                    break
                step = 997 if self.mood == "slices" else len(piece)
                for at in range(0, len(piece), step):
                    sink.write(piece[at : at + step])
                    await sink.drain()
        sink.transport.abort()


async def main(asked: dict[str, str]) -> None:
    network = Network(asked["target"], int(asked["seed"]))
    server = await asyncio.start_server(network.serve, "127.0.0.1", 0)
    print("{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    changing = asyncio.create_task(network.change())
    await asyncio.to_thread(sys.stdin.read)
    changing.cancel()
    server.close()
    print(json.dumps(network.counts), flush=True)
    os._exit(0)  # whoever is still connected hears of it now


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))

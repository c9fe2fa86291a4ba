"""Disks that are full, the database's or the spool's, again and again while senders send.

Nobody is killed: what does not fit must be refused and said, what was acknowledged must be there, and everything goes
on by itself as soon as there is room; where a full disk of PostgreSQL's log ends the server, as soon as somebody has
started that.
"""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from small_disk import small_disk_at, use_up
from storm.storm_processes import POSTGRES, Collector, Server, enterable
from storm.storm_run import Plan, Storm

DATABASE_BYTES = 256 * 2**20
SPOOL_BYTES = 4 * 2**20
SMALL_POSTGRES = {**POSTGRES, "max_wal_size": "64MB", "min_wal_size": "32MB"}
FULL_SECONDS = 3.0
PATIENCE_SECONDS = 60.0


@contextmanager
def server_on_a_small_disk() -> Iterator[tuple[Server, Path]]:
    """A PostgreSQL and the file system that it has to itself."""
    with enterable() as directory, small_disk_at(directory / "disk", DATABASE_BYTES) as disk:
        running = Server(disk, SMALL_POSTGRES)
        try:
            yield running, disk
        finally:
            running.stop()


class FullDisk(Storm):
    """``times`` full, and free again. ``said``: reasons on the health page, by place, and in how many of the times."""

    def __init__(self, postgres: Server, plan: Plan, directory: Path, disk: Path, times: int) -> None:
        super().__init__(postgres, plan, directory)
        self.server = postgres
        self.disk = disk
        self.times = times
        self.said: Counter[str] = Counter()
        self.reasoned = 0
        """How many of the times the page said a reason."""
        self.died = 0
        """How often the server was gone."""

    @property
    def collector(self) -> Collector:
        """The only one."""
        return self.collectors[0]

    def heard(self) -> set[str]:
        """Why nothing is taken, now."""
        page = self.collector.health()
        found = {f"{place} {page[place]['refusal']}" for place in ("ledger", "spool") if page[place]}
        return {reason for reason in found if not reason.endswith(" None")}

    def line(self) -> str:
        """Beside the storm's own."""
        said = ", ".join(f"{reason} {times}x" for reason, times in sorted(self.said.items()))
        return f"full {self.times} times; the health page said: {said}; the server had to be started {self.died} times"


class FullDatabase(FullDisk):
    """The database's disk; there is no spool."""

    def rage(self) -> None:
        """Another file takes all the room, and goes away. Every other time the collector is killed, and starts."""
        for number in range(self.times):
            time.sleep(self._chance.uniform(*self._plan.calm_seconds))
            reasons: set[str] = set()
            due = time.monotonic() + FULL_SECONDS
            while time.monotonic() < due or not reasons:
                ballast = use_up(self.disk)
                reasons |= self.heard()
                assert time.monotonic() < due + PATIENCE_SECONDS, "a full disk is not noticed"
                time.sleep(0.1)
            self.said.update(reasons)
            self.reasoned += 1
            if number % 2:
                self._done["kill"] += 1
                self.collector.end(signal.SIGKILL)
                self.collector.begin()
            ballast.unlink()
            self.died += self.server.revive()
            if number % 2:
                self.collector.wait()
            eventually(lambda: not self.heard(), "nothing is taken although there is room")


class FullSpool(FullDisk):
    """The spool's disk. Every other time the collector is killed then, and must start."""

    def rage(self) -> None:
        """The database is away until the spool has filled its disk; nobody makes room but the spool itself."""
        for number in range(self.times):
            self._done["crash"] += 1
            time.sleep(self._chance.uniform(*self._plan.calm_seconds))
            with self.server.away():
                self._full(killed=bool(number % 2))
            if number % 2:
                self.collector.wait()
            eventually(lambda: not self.collector.spool_state()["spilling"], "a full spool does not drain")
            (self.disk / "ballast").unlink()

    def _full(self, *, killed: bool) -> None:
        eventually(lambda: "spool full" in self.heard(), "the spool is never full")
        reasons: set[str] = set()
        due = time.monotonic() + FULL_SECONDS
        while time.monotonic() < due:
            reasons |= self.heard()
            use_up(self.disk)
            time.sleep(0.1)
        self.said.update(reasons)
        if killed:
            self._done["kill"] += 1
            self.collector.end(signal.SIGKILL)
            self.collector.begin()


def eventually(done: Callable[[], bool], otherwise: str) -> None:
    """Waits for a condition."""
    due = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < due, otherwise
        time.sleep(0.1)

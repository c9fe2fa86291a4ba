"""One storm: real collectors over a real PostgreSQL with fsync, senders that never give up, and somebody who kills.

``Storm.run`` does it and ``Outcome.faults`` says what was lost, doubled, mispriced or left inconsistent.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from storm.storm_processes import HERE, ROOT, Collector, Network, Server, environment_of

from ledger.verify import Sample, verify
from standalone.database import in_ledger

DRAIN_SECONDS = 90.0
RECOUNTED_MAX = 1000
"""Traces."""


def any_seed() -> int:
    """``STORM_SEED``, or any."""
    return int(os.environ.get("STORM_SEED", int.from_bytes(os.urandom(4))))


def printed_seed() -> int:
    """Of a storm that does not print its own."""
    number = any_seed()
    print(f"seed {number}")
    return number


def seeded() -> random.Random:
    """The chance of a storm whose order of events is not its own to say: what it sends is."""
    return random.Random(printed_seed())


class Plan(NamedTuple):
    """How bad it gets."""

    collector_kills: int = 4
    server_kills: int = 2
    replicas: int = 1
    senders: int = 12
    pause_seconds: float = 0.0
    """At most, of a sender between two exports."""
    spans_per_second: float = 0.0
    """By the clock; 0: as fast as they are answered."""
    overlap: bool = False
    """Every export goes to every replica."""
    calm_seconds: tuple[float, float] = (0.4, 1.2)
    """Between two faults."""
    down_seconds: tuple[float, float] = (0.0, 0.3)
    """How long the server stays down, beyond what its recovery takes."""
    bad_network: bool = False
    """Between senders and collectors, and between collectors and the database."""
    fault: str | None = None
    """A fault of ``storm_broken`` that the collectors run with."""
    settings: dict[str, str] = {}  # noqa: RUF012 - never changed


class Outcome(NamedTuple):
    """What a storm came to."""

    seed: int
    kills: int
    crashes: int
    counts: dict[str, int]
    lost: int
    """Acknowledged and not kept."""
    aliens: int
    """Kept and never sent."""
    doubled: int
    """Spans for which more than one call stands."""
    wrong: list[str]
    """Agents whose sums are not the truth."""
    broken: list[str]
    """Invariants that do not hold."""
    statuses: list[int]
    deadlocks: int
    milliseconds: list[list[float]]
    """p50 and p99 of the answers of each minute."""

    def faults(self) -> list[str]:
        """Everything that must not be."""
        found = [f"LOST={self.lost}"] * bool(self.lost) + [f"ALIENS={self.aliens}"] * bool(self.aliens)
        found += [f"DOUBLE={self.doubled}"] * bool(self.doubled)
        found += [f"answered {name}: {count}" for name, count in self.counts.items() if name.startswith("final")]
        found += [f"{name}: {self.counts[name]}" for name in ("partial", "unanswered") if self.counts.get(name)]
        found += [f"exit statuses {self.statuses}"] * any(self.statuses)
        found += [f"deadlocks: {self.deadlocks}"] * bool(self.deadlocks)
        return found + self.wrong + [f"does not hold: {text}" for text in self.broken]

    def line(self) -> str:
        """For the table."""
        counts = " ".join(f"{name}={count}" for name, count in sorted(self.counts.items()))
        return (
            f"seed={self.seed} kills={self.kills} crashes={self.crashes} {counts} LOST={self.lost} "
            f"DOUBLE={self.doubled} ALIENS={self.aliens} deadlocks={self.deadlocks} "
            f"verify={'clean' if not self.broken else self.broken}"
        )


class Storm:
    """One storm over a database of its own."""

    def __init__(self, postgres: Server, plan: Plan, directory: Path, seed: int | None = None) -> None:
        self.seed = seed if seed is not None else any_seed()
        self._postgres = postgres
        self._plan = plan
        self.directory = directory
        self._chance = random.Random(self.seed)
        self.url = postgres.database()
        self._networks: list[Network] = []
        self._done: Counter[str] = Counter()
        self._deadlocks = postgres.deadlocks()
        self._database = self.url.replace(at := f"127.0.0.1:{postgres.port}", self._through(at))
        self.collectors = [self._collector(number) for number in range(plan.replicas)]
        self._acknowledged = directory / f"acknowledged-{self.seed}"

    def run(self) -> Outcome:
        """From the first span to the last check."""
        print(f"seed {self.seed}")
        try:
            for collector in self.collectors:
                collector.start()
            senders = self._send()
            try:
                self.rage()
                said, _ = senders.communicate(timeout=120)
            finally:
                senders.kill()
            self._drain()
            statuses = [collector.end(signal.SIGTERM) for collector in self.collectors]
        finally:
            for collector in self.collectors:
                collector.stop()
            moods = sum((network.stop() for network in self._networks), Counter())
        outcome = self._outcome(json.loads(said), statuses)
        outcome.counts.update({name.replace(" ", "_"): count for name, count in moods.items() if name != "pass"})
        print(outcome.line())
        return outcome

    def _collector(self, number: int) -> Collector:
        settings = {
            name: value.format(directory=self.directory, seed=self.seed) for name, value in self._plan.settings.items()
        }
        environment = environment_of(self._database, settings)
        fault = self._plan.fault
        command = ["-m", "collector"] if fault is None else [str(HERE / "storm_broken.py"), fault]
        return Collector(environment, command, self.directory / f"collector-{self.seed}-{number}.log")

    def _through(self, address: str) -> str:
        """The address of a bad network in front of ``address``, or itself."""
        if not self._plan.bad_network:
            return address
        self._networks.append(Network(address, self._chance.getrandbits(31)))
        return self._networks[-1].address

    def _send(self) -> "subprocess.Popen[str]":
        asked = {
            "seed": self.seed,
            "addresses": [self._through(collector.address) for collector in self.collectors],
            "senders": self._plan.senders,
            "pause_seconds": self._plan.pause_seconds,
            "spans_per_second": self._plan.spans_per_second,
            "overlap": self._plan.overlap,
            "acknowledged": str(self._acknowledged),
        }
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE.parent)))}
        command = [sys.executable, str(HERE / "storm_senders.py"), json.dumps(asked)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=pipe, stdout=pipe, text=True)

    def rage(self) -> None:
        """What happens while they send."""
        plan, chance = self._plan, self._chance
        faults = ["kill"] * plan.collector_kills + ["crash"] * plan.server_kills
        chance.shuffle(faults)
        for fault in faults:
            self._done[fault] += 1
            time.sleep(chance.uniform(*plan.calm_seconds))  # the moment of a fault is the experiment
            if fault == "crash":
                self._postgres.crash(chance.uniform(*plan.down_seconds))
            else:
                collector = chance.choice(self.collectors)
                collector.end(signal.SIGKILL)
                collector.start()
        time.sleep(plan.calm_seconds[1])

    def _drain(self) -> None:
        """Waits until no spool holds anything."""
        due = time.monotonic() + DRAIN_SECONDS
        for collector in self.collectors:
            while collector.spooled():
                assert time.monotonic() < due, "a spool does not drain"
                time.sleep(0.1)

    def _outcome(self, said: dict[str, Any], statuses: list[int]) -> Outcome:
        lines = self._acknowledged.read_text().splitlines()
        acknowledged = {tuple(bytes.fromhex(word) for word in line.split()) for line in lines}
        found = kept_in(self.url)
        spans_sent = said["counts"]["spans"]
        more = len(found.spans) - spans_sent
        aliens = more if more > 0 else len(found.spans - acknowledged) * (not said["unanswered"])
        return Outcome(
            self.seed,
            self._done["kill"],
            self._done["crash"],
            {**said["counts"], "unanswered": said["unanswered"], "stored": len(found.spans)},
            len(acknowledged - found.spans),
            aliens,
            found.doubled,
            differences(said["truth"], found.sums),
            broken_in(self.url, self.seed),
            statuses,
            self._postgres.deadlocks() - self._deadlocks,
            said["milliseconds"],
        )


class Kept(NamedTuple):
    """What a ledger holds."""

    spans: set[tuple[bytes, bytes]]
    doubled: int
    """Spans for which more than one call stands."""
    sums: dict[str, list[int]]
    """By agent, in the order of ``storm_traffic.Truth``."""


def kept_in(url: str) -> Kept:
    """By the tables themselves."""
    with psycopg.connect(url) as connection:
        spans = connection.execute("select trace_id, span_id from spans").fetchall()
        found = connection.execute(
            "select count(*) from (select 1 from entries group by trace_id, span_id having sum(calls) > 1) doubled"
        ).fetchone()
        sums = connection.execute(
            "select agent_id, sum(agent_runs), sum(calls), sum(input_tokens), sum(output_tokens), sum(cost_pico) "
            "from entries group by agent_id"
        ).fetchall()
    assert found is not None
    by_agent = {str(row[0]): [int(value or 0) for value in row[1:]] for row in sums}
    return Kept({(bytes(trace), bytes(span)) for trace, span in spans}, found[0], by_agent)


def broken_in(url: str, seed: int) -> list[str]:
    """Invariants that do not hold."""
    sample = Sample(traces_max=RECOUNTED_MAX, seed=seed, seconds_max=120)
    checks = in_ledger(url, lambda connection: verify(connection, sample, time.monotonic))
    return [
        f"{check.invariant.name} ({check.mismatches} of {check.checked}) {check.unfinished} {check.examples[:1]}"
        for check in checks
        if not check.holds
    ]


def differences(truth: dict[str, list[int]], found: dict[str, list[int]]) -> list[str]:
    """Agents whose runs, calls, tokens and cost are not what was sent."""
    net = {agent: sums for agent, sums in found.items() if any(sums)}
    return [
        f"{agent}: {net.get(agent)} instead of {truth.get(agent)}"
        for agent in sorted(truth.keys() | net.keys())
        if truth.get(agent) != net.get(agent)
    ]

"""A ledger and a spool that an earlier version left, started by this one, which is killed while it migrates and drains.

What was left is in ``tests/testdata/earlier``, one archive a schema, written by ``storm_keep``. After the last kill
everything that was ever sent is sent again, and new conversations beside it.
"""

import json
import lzma
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import grpc
import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from storm.storm_keep import KEPT
from storm.storm_processes import ROOT, Collector, Server, environment_of
from storm.storm_run import DRAIN_SECONDS, broken_in, differences, kept_in
from storm.storm_senders import EXPORT
from storm.storm_traffic import Traffic

SETTINGS = {"FINOPS_GROUP_SPANS_MAX": "5", "FINOPS_ACCEPT_DAYS_MAX": "3650"}
"""Many small groups, so that there is something to be in the middle of; and what was kept once is not too old."""
FRESH_EXPORTS = 10
UNBELIEVABLE = 2
"""Spans that ``storm_keep`` sent and nobody can count: one before the outage, one in it."""


class Earlier(NamedTuple):
    """What one version left."""

    migration: int
    statements: str
    spool: dict[str, bytes]
    exports: list[bytes]
    spans: set[tuple[bytes, bytes]]
    """Of those that can be believed."""
    truth: dict[str, list[int]]


class Upgrade(NamedTuple):
    """What an upgrade came to."""

    seed: int
    migration: int
    """The last one of the version that left it."""
    killed_migrating: int
    migrations_left: int
    """When the migrating process was killed."""
    killed_starting: int
    """With the whole spool still there."""
    killed_draining: int
    """With some of the spool drained and some not."""
    killed_late: int
    """With nothing left in it."""
    spans: int
    lost: int
    doubled: int
    aliens: int
    refused: int
    """Kept in suspense, of what nobody can count."""
    faults: list[str]

    def line(self) -> str:
        """For the table."""
        return (
            f"seed={self.seed} schema {self.migration}: killed while migrating {self.killed_migrating} "
            f"({self.migrations_left} to go), before draining {self.killed_starting}, in mid-drain "
            f"{self.killed_draining}, drained {self.killed_late}; "
            f"spans={self.spans} LOST={self.lost} DOUBLE={self.doubled} ALIENS={self.aliens} {self.faults or 'clean'}"
        )


def archives() -> list[Path]:
    """One a schema, the oldest first."""
    return sorted(KEPT.glob("*.tar.xz"))


def earlier(archive: Path) -> Earlier:
    """As it was kept."""
    files: dict[str, bytes] = {}
    with lzma.open(archive) as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as entries:
        for entry in entries:
            content = entries.extractfile(entry)
            assert content is not None
            files[entry.name] = content.read()
    sent = json.loads(files["sent.json"])
    exports = [bytes.fromhex(body) for body in sent["exports"]]
    spans = {identity for body in exports for identity in _believable(body)}
    spool = {name.partition("/")[2]: content for name, content in files.items() if name.startswith("spool/")}
    number = int(archive.name.partition(".")[0])
    return Earlier(number, files["ledger.sql"].decode(), spool, exports, spans, sent["truth"])


def _believable(body: bytes) -> list[tuple[bytes, bytes]]:
    spans = [
        span
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    return [
        (span.trace_id, span.span_id) for span in spans if all(each.value.int_value >= 0 for each in span.attributes)
    ]


class Upgrading:
    """One upgrade, on a database of its own."""

    def __init__(self, postgres: Server, left: Earlier, directory: Path, seed: int) -> None:
        self._left = left
        self._seed = seed
        self._chance = random.Random(seed)
        self._url = postgres.empty_database()
        self._spool = directory / f"spool-{seed}"
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(left.statements.encode())
        self._spool.mkdir()
        for name, content in left.spool.items():
            (self._spool / name).write_bytes(content)
        self._environment = environment_of(self._url, {**SETTINGS, "FINOPS_SPOOL_DIR": str(self._spool)})
        self.collector = Collector(self._environment, ["-m", "collector"], directory / f"collector-{seed}.log")

    def run(self, kills: int) -> Upgrade:
        """From the first migration to the last check."""
        print(f"seed {self._seed}")
        left = self._left
        killed, to_go = self._migrate()
        at = self._drain(kills)
        traffic = Traffic(self._seed)
        fresh = [traffic.next() for _ in range(FRESH_EXPORTS)] + [traffic.rest()]
        complaints = self._deliver([*left.exports, *(export.body for export in fresh)])
        self._down_to(0)  # a slow moment sends new exports there, too
        status = self.collector.end(signal.SIGTERM)
        found = kept_in(self._url)
        sent = left.spans | {identity for export in fresh for identity in export.spans}
        for agent, sums in left.truth.items():
            ours = traffic.truth.by_agent.setdefault(agent, [0] * len(sums))
            traffic.truth.by_agent[agent] = [one + other for one, other in zip(ours, sums, strict=True)]
        faults = complaints + [f"exit status {status}"] * bool(status)
        faults += differences(traffic.truth.by_agent, found.sums) + broken_in(self._url, self._seed)
        return Upgrade(
            self._seed, left.migration, killed, to_go, *at, len(sent), len(sent - found.spans), found.doubled,
            len(found.spans - sent), self._refused(), faults,
        )  # fmt: skip

    def _migrate(self) -> tuple[int, int]:
        """Whether it was killed while it migrated, with how many migrations to go; then migrates in peace."""
        command = [sys.executable, "-m", "standalone", "migrate", "--database-url", self._url]
        with subprocess.Popen(command, cwd=ROOT, env=self._environment, stderr=subprocess.PIPE) as migrating:
            assert migrating.stderr is not None
            for _ in range(self._chance.randint(1, 4)):
                migrating.stderr.readline()
            time.sleep(self._chance.uniform(0, 0.02))  # the moment of the kill is the experiment
            migrating.kill()
        said = subprocess.run(
            [*command, "--json"], cwd=ROOT, env=self._environment, check=True, capture_output=True
        ).stdout
        to_go = len(json.loads(said)["applied"])
        return int(migrating.returncode == -signal.SIGKILL), to_go

    def _drain(self, kills: int) -> tuple[int, int, int]:
        """Kills while it drains: how often before, in the middle and after."""
        at = [0, 0, 0]
        whole = before = self._waiting()
        assert whole > 20, "what was kept is too little"
        for number in range(1, kills + 1):
            self.collector.start()
            if number == kills or self._chance.random() < 0.8:
                self._down_to(self._chance.randint(before - before // 3, before))
            self.collector.end(signal.SIGKILL)
            before = self._waiting()
            at[0 if before == whole else 1 if before else 2] += 1
        self.collector.start()
        self._down_to(0)
        return at[0], at[1], at[2]

    def _down_to(self, exports: int) -> None:
        """Waits until no more than these are in the spool."""
        due = time.monotonic() + DRAIN_SECONDS
        while self.collector.spooled() > exports:
            assert time.monotonic() < due, "the spool does not drain"

    def _waiting(self) -> int:
        """Rows in the spool of a collector that does not run; read from a copy, so that nothing is mended."""
        with tempfile.TemporaryDirectory() as directory:
            copied = Path(shutil.copytree(self._spool, Path(directory) / "copy"))
            total = 0
            for path in copied.glob("spool-*.sqlite"):
                file = sqlite3.connect(path)
                total += file.execute("select count(*) from exports").fetchone()[0]
                file.close()
        return total

    def _deliver(self, bodies: Sequence[bytes]) -> list[str]:
        """What is wrong with the answers."""
        partial = 0
        with grpc.insecure_channel(self.collector.address) as channel:
            call = channel.unary_unary(EXPORT)
            for body in bodies:
                answer = ExportTraceServiceResponse.FromString(call(body, timeout=10))
                partial += answer.partial_success.rejected_spans
        return [f"{partial} spans refused instead of {UNBELIEVABLE}"] if partial != UNBELIEVABLE else []

    def _refused(self) -> int:
        with psycopg.connect(self._url) as connection:
            row = connection.execute(
                "select count(distinct span_id) from suspense where reason = 'bad_usage'"
            ).fetchone()
        assert row is not None
        return int(row[0])

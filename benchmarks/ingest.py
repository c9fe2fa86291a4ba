"""Spans a second from the wire into the ledger: durable, counted, priced and acknowledged, all on this machine.

    python -m benchmarks.ingest [--shape bare|attr|event] [--spans 512] [--senders 8] [--rate N] [--runs 3]
                                [--collectors 1] [--compiled] [--database-url SUPERUSER_URL] [--profile FILE]

Starts the embedded PostgreSQL with fsync (or makes a database on the server named), collectors and senders, each a
process of its own. Prints spans acknowledged a second, latencies, the processor time a span of each part, and the
collector's peak memory. At the end as many spans must be in the ledger as were acknowledged: otherwise it exits with 1.
"""

import argparse
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg

from standalone.database import bring_up_to_date
from standalone.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[1]
TICKS = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    """One run."""

    spans_per_second: float
    p50_ms: float
    p99_ms: float
    collector_us: float
    """Processor time a span."""
    database_us: float
    sender_us: float
    rss_mib: float
    acknowledged: int
    stored: int
    refused: int

    def line(self) -> str:
        """For people."""
        return (
            f"{self.spans_per_second:>9,.0f} spans/s  ack p50 {self.p50_ms:.1f} p99 {self.p99_ms:.1f} ms  "
            f"us/span: collector {self.collector_us:.1f} database {self.database_us:.1f} sender {self.sender_us:.1f}  "
            f"RSS {self.rss_mib:.0f} MiB  acknowledged {self.acknowledged:,} stored {self.stored:,} "
            f"refused {self.refused}"
        )


@contextmanager
def server(url: str | None) -> Iterator[tuple[str, list[int]]]:
    """A superuser's address of a durable server, and its process ids where they are known."""
    if url is not None:
        yield url, []
        return
    with tempfile.TemporaryDirectory(prefix="agent-finops-bench-") as name:
        Path(name).chmod(0o755)
        with EmbeddedPostgres() as postgres:
            postgres.start(Path(name) / "data")
            assert postgres.pid is not None
            yield postgres.superuser_url, [postgres.pid]


@contextmanager
def database(superuser_url: str) -> Iterator[str]:
    """A migrated database of its own."""
    name = f"bench_{secrets.token_hex(4)}"
    url = urlunsplit(urlsplit(superuser_url)._replace(path=f"/{name}"))
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        has_timescale = connection.execute("select from pg_available_extensions where name = 'timescaledb'").rowcount
    if has_timescale:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("create extension if not exists timescaledb")
    bring_up_to_date(url, lambda text: None)
    try:
        yield url
    finally:
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)")


class Collector:
    """A collector process, told where its peers listen."""

    def __init__(self, url: str, settings: dict[str, str], profile: str | None, log: Path, home: Path = ROOT) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_", "OTEL_"))}
        ports = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
        environment = {**kept, **ports, **settings, "FINOPS_ALLOW_SUPERUSER": "1", "FINOPS_DATABASE_URL": url}
        command = [sys.executable, "-m", "collector"]
        if profile:
            command = [sys.executable, "-m", "cProfile", "-o", profile, "-m", "collector"]
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().split()
        assert line[:2] == ["ready", "collector"], log.read_text()[-2000:]
        self.at = dict(part.split("=", 1) for part in line[2:])

    def stop(self) -> None:
        """Drains."""
        self.process.terminate()
        self.process.wait(30)
        self._log.close()


def used_seconds(pid: int) -> float:
    """Processor time of a process so far, its dead children included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def children_of(pid: int) -> list[int]:
    """Those that live."""
    return [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]


def children_seconds(pid: int) -> float:
    """Of a server and its living children."""
    return used_seconds(pid) + sum(map(used_seconds, children_of(pid)))


def peak_mib(pid: int) -> float:
    """Peak resident memory, and that of its children."""
    return _peak_mib(pid) + sum(map(_peak_mib, children_of(pid)))


def _peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def run(superuser_url: str, pids: list[int], asked: argparse.Namespace, seed: int) -> Figures:
    """One run over a database of its own."""
    with tempfile.TemporaryDirectory() as directory, database(superuser_url) as url:
        log = Path(directory) / "collector.log"
        home = ROOT / "build" / "compiled" if asked.compiled else ROOT
        first = Collector(url, settings_of(asked), asked.profile, log, home)
        address = first.at["grpc"]
        shared = {**settings_of(asked), "FINOPS_OTLP_GRPC": address}
        collectors = [first, *(Collector(url, shared, None, log, home) for _ in range(asked.collectors - 1))]
        try:
            said, used = load(address, asked, seed, [c.process.pid for c in collectors], pids)
            peak = max(peak_mib(c.process.pid) for c in collectors)
        finally:
            for collector in collectors:
                collector.stop()
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "select count(*), sum(calls), count(*) filter (where cost_pico is null) from entries"
            ).fetchone()
    assert row is not None
    acknowledged = said["counts"]["acknowledged"]
    refused = sum(count for name, count in said["counts"].items() if name not in ("acknowledged", "measured"))
    if row[2]:
        print(f"WRONG: {row[2]} entries without a price")
    return Figures(
        said["counts"]["measured"] / (asked.seconds - asked.warmup),
        said["p50"],
        said["p99"],
        used[0] / acknowledged * 1e6,
        used[1] / acknowledged * 1e6,
        used[2] / acknowledged * 1e6,
        peak,
        acknowledged,
        int(row[1] or 0),
        refused,
    )


def settings_of(asked: argparse.Namespace) -> dict[str, str]:
    """Of the collectors."""
    given = dict(word.split("=", 1) for word in asked.set)
    return {"FINOPS_REUSE_PORT": "1", **given} if asked.collectors > 1 else given


def load(
    address: str, asked: argparse.Namespace, seed: int, collectors: list[int], servers: list[int]
) -> tuple[dict[str, Any], tuple[float, float, float]]:
    """What the senders saw; seconds of processor time of collectors, database and senders."""
    words = {
        "address": address,
        "spans": asked.spans,
        "shape": asked.shape,
        "senders": asked.senders,
        "seconds": asked.seconds,
        "warmup_seconds": asked.warmup,
        "rate": asked.rate,
        "seed": seed,
    }
    command = [sys.executable, "-m", "benchmarks.ingest_senders", json.dumps(words)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as senders:
        assert senders.stdout is not None
        assert senders.stdin is not None
        assert senders.stdout.readline() == "made\n"
        before = sum(map(children_seconds, collectors)), sum(map(children_seconds, servers)), used_seconds(senders.pid)
        senders.stdin.write("go\n")
        senders.stdin.flush()
        line = senders.stdout.readline()
        after = sum(map(children_seconds, collectors)), sum(map(children_seconds, servers)), used_seconds(senders.pid)
    collector, database_, sender = (now - then for now, then in zip(after, before, strict=True))
    return json.loads(line), (collector, database_, sender)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure ingestion.")
    parser.add_argument("--shape", choices=("bare", "attr", "event"), default="bare")
    parser.add_argument("--spans", type=int, default=512, help="in one export")
    parser.add_argument("--senders", type=int, default=8)
    parser.add_argument("--rate", type=float, default=0, help="spans a second by the clock; 0: as fast as answered")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--warmup", type=float, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--collectors", type=int, default=1)
    parser.add_argument("--database-url", help="a superuser's address of a server with room for a database")
    parser.add_argument("--compiled", action="store_true", help="the modules of `make compiled`")
    parser.add_argument("--profile", help="write a cProfile of the collector here")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the collector")
    asked = parser.parse_args()
    figures = []
    with server(asked.database_url) as (url, pids):
        for seed in range(asked.runs):
            figures.append(run(url, pids, asked, seed * 100))
            print(figures[-1].line(), flush=True)
    print(f"median {statistics.median(f.spans_per_second for f in figures):,.0f} spans/s")
    return 0 if all(f.stored >= f.acknowledged for f in figures) else 1


if __name__ == "__main__":
    began = time.monotonic()
    status = main()
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(status)

"""The database is away for a while, and applications that know nothing but the SDK's defaults keep making calls.

One sends over gRPC and one over HTTP. Beside them a query API judges over a window of a minute, so that a backlog which
counted at the time of its draining would look like many times the usual burn.
"""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import psycopg
from storm.storm_processes import HERE, Collector, QueryApi, Server, environment_of, resident_mib
from storm.storm_sdk import AGENT, CALL_USD, SESSIONS

from ledger.verify import Sample, verify
from standalone.database import in_ledger

CALM_SECONDS = 10
SPANS_PER_SECOND = 500
JUDGE = {"FINOPS_WINDOW_SECONDS": "60", "FINOPS_ANOMALY_MULTIPLIER": "3"}


class Outage(NamedTuple):
    """What it came to."""

    seconds: float
    made: int
    counted: int
    drained_seconds: float
    """From the return of the database until the spool was empty."""
    spooled_bytes_max: int
    collector_mib_max: float
    anomalies: int
    thinnest_slot: int
    """Calls in the emptiest ten seconds of the outage, by the time they were made."""
    broken: list[str]
    """Invariants that do not hold."""

    def line(self) -> str:
        """For the table."""
        return (
            f"outage {self.seconds:.0f} s: made {self.made}, counted {self.counted}, lost {self.made - self.counted}, "
            f"drained {self.drained_seconds:.0f} s after the return, spool "
            f"at most {self.spooled_bytes_max / 2**20:.0f} MiB, "
            f"collector at most {self.collector_mib_max:.0f} MiB, anomalies {self.anomalies}, calls in the "
            f"thinnest 10 s of the outage {self.thinnest_slot}, verify {self.broken or 'clean'}"
        )


def outage(postgres: Server, directory: Path, seconds: float, *, spool: bool) -> Outage:
    """Calm, then ``seconds`` without a database, then time to drain while calls go on."""
    url = postgres.database()
    settings = {"FINOPS_SPOOL_DIR": str(directory / "spool")} if spool else {}
    collector = Collector(environment_of(url, settings), ["-m", "collector"], directory / "collector.log")
    collector.start()
    api = QueryApi(url, directory / "query_api.log", **JUDGE)
    try:
        usual = 3600 * SPANS_PER_SECOND / 2 / SESSIONS * CALL_USD
        api.client.put(f"/baselines/{AGENT}", json={"baselineUsdPerHour": round(usual, 6)}).raise_for_status()
        applications = _applications(collector, CALM_SECONDS + seconds + max(CALM_SECONDS, seconds / 5))
        time.sleep(CALM_SECONDS)
        away = time.time()
        postgres.crash(seconds)
        back = time.time()
        drained, bytes_max, mib_max = _drained(collector)
        made = sum(int(application.communicate(timeout=seconds + 120)[0]) for application in applications)
        _drained(collector)
    finally:
        api.stop()
        collector.end(signal.SIGTERM)
    return Outage(
        seconds, made, _one(url, "select coalesce(sum(calls), 0) from entries"), drained - back, bytes_max, mib_max,
        _one(url, "select count(*) from anomalies"), _thinnest(url, away, back), _broken(url),
    )  # fmt: skip


def _applications(collector: Collector, seconds: float) -> "list[subprocess.Popen[str]]":
    started = []
    for transport, endpoint in (("grpc", collector.address), ("http", collector.http)):
        asked = {
            "endpoint": endpoint,
            "transport": transport,
            "spans_per_second": SPANS_PER_SECOND // 2,
            "seconds": seconds,
        }
        command = [sys.executable, str(HERE / "storm_sdk.py"), json.dumps(asked)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    return started


def _drained(collector: Collector) -> tuple[float, int, float]:
    """When the spool was empty (Unix seconds), the most bytes that were seen in it, the most memory."""
    bytes_max, mib_max = 0, 0.0
    while True:
        state = collector.spool_state()
        bytes_max = max(bytes_max, int(state.get("bytes", 0)))
        mib_max = max(mib_max, resident_mib(collector.pid))
        if not state.get("exports"):
            return time.time(), bytes_max, mib_max
        time.sleep(0.1)


def _one(url: str, statement: str, *values: object) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
    assert row is not None
    return int(row[0])


def _thinnest(url: str, away: float, back: float) -> int:
    """Whole slots of ten seconds inside the outage; one without a row counts 0."""
    statement = """
        select coalesce(min(calls), 0) from (
            select (select coalesce(sum(calls), 0) from session_slots where session_slots.slot = each.slot) as calls
            from generate_series(to_timestamp(ceil(%s / 10.0) * 10), to_timestamp(%s - 20), '10 seconds') each (slot)
        ) slots"""
    return _one(url, statement, away, back)


def _broken(url: str) -> list[str]:
    sample = Sample(traces_max=1000, seed=1, seconds_max=120)
    checks = in_ledger(url, lambda connection: verify(connection, sample, time.monotonic))
    return [f"{check.invariant.name} {check.unfinished} {check.examples[:1]}" for check in checks if not check.holds]

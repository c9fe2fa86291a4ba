"""From start to ready with many sessions that burn: the collector and the query API, killed and started again.

    python -m benchmarks.restart [--sessions 100000] [--runs 3]

Fills a ledger on the embedded PostgreSQL (with fsync) with one call in each session, all within the sliding window, so
that every session is active. Prints seconds until each service says that it is ready, until the collector has
acknowledged an export, and until the query API has told who burns. Exits with 1 where getting ready takes longer than
five seconds.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import grpc
import psycopg

from benchmarks.ingest import ROOT, Collector, database, server
from benchmarks.ingest_traffic import Template
from finops.access import Scope
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import pool
from ledger.rates import RateStore
from ledger.tokens import register
from standalone.database import in_ledger

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
GROUP = 4000
READY_SECONDS_MAX = 5.0
TOKEN = "fst_restart"


class Figures(NamedTuple):
    """One start, in seconds."""

    collector: float
    acknowledged: float
    query_api: float
    burning: float


async def fill(url: str, sessions: int) -> None:
    """One call in each of so many sessions, now."""
    async with pool(url, size_max=1, name="fill", statement_timeout_ms=60_000) as connections:
        ledger = Ledger(connections, RateStore(), writer=uuid4(), limits=Limits())
        for first in range(0, sessions, GROUP):
            now = time.time_ns()
            group = [_call(number, now) for number in range(first, min(first + GROUP, sessions))]
            await ledger.append(group, [], now)


def _call(number: int, now: int) -> SpanRecord:
    own = Dimensions(agent=f"agent-{number % 20}", session=f"session-{number}")
    ids = (number + 1).to_bytes(16), (number + 1).to_bytes(8), b""
    usage = TokenUsage(1000, 100, 300)
    return SpanRecord(
        "", *ids, SpanClass.CALL, now - 10**9, now, scope="x", own=own, request_model="gpt-4o", usage=usage
    )


async def a_token(connection: psycopg.AsyncConnection) -> None:
    """For the query API."""
    await register(connection, name="restart", secret=TOKEN, scopes=[Scope.READ])


def once(url: str, directory: Path) -> Figures:
    """Starts both, kills both."""
    began = time.monotonic()
    collector = Collector(url, {}, None, directory / "collector.log")
    ready = time.monotonic()
    _send(collector.at["grpc"])
    acknowledged = time.monotonic()
    environment = {**os.environ, "FINOPS_DATABASE_URL": url, "FINOPS_API": "127.0.0.1:0"}
    environment |= {"FINOPS_COLLECTOR_URL": "off", "FINOPS_ALLOW_SUPERUSER": "1"}
    asked = time.monotonic()
    command = [sys.executable, "-m", "query_api"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as api:
        assert api.stdout is not None
        words = api.stdout.readline().split()
        serves = time.monotonic()
        address = f"{words[2]}/api/v1/finops/burn-rates/active?limit=10"
        request = urllib.request.Request(address, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
        told = time.monotonic()
        api.kill()
    collector.process.kill()
    collector.process.wait()
    return Figures(ready - began, acknowledged - began, serves - asked, told - asked)


def _send(address: str) -> None:
    """Returns when one export is acknowledged."""
    body = Template(1, "bare", 1).export()
    with grpc.insecure_channel(address) as channel:
        while True:
            try:
                channel.unary_unary(EXPORT)(body, timeout=5)
                return
            except grpc.RpcError as refused:
                if refused.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                time.sleep(0.05)


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="From start to ready with many active sessions.")
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with server(None) as (superuser, _), database(superuser) as url, tempfile.TemporaryDirectory() as directory:
        asyncio.run(fill(url, asked.sessions))
        in_ledger(url, a_token)
        with psycopg.connect(url) as connection:
            row = connection.execute(
                "select count(distinct session_id) from session_slots where slot > now() - interval '30 minutes'"
            ).fetchone()
        assert row is not None
        print(f"{row[0]:,} active sessions")
        runs = [once(url, Path(directory)) for _ in range(asked.runs)]
    for name in Figures._fields:
        values = [getattr(run, name) for run in runs]
        print(f"{name:>13}: median {statistics.median(values):.2f} s, most {max(values):.2f} s")
    slowest = max(statistics.median(run.collector for run in runs), statistics.median(run.query_api for run in runs))
    return 0 if slowest <= READY_SECONDS_MAX and row[0] >= asked.sessions else 1


if __name__ == "__main__":
    sys.exit(main())

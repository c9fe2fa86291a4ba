"""Sessions and agents without end: memory and metrics stay small, and another organisation's figures stay right."""

import asyncio
import json
import os
import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

import httpx2
import pytest
from storm.storm_flood import Load, Memory, Sent, calls_in, collector_over, sent_while
from storm.storm_many import CALL_PICO, SPANS, Many
from storm.storm_processes import QueryApi, Server, server
from storm.storm_run import broken_in, seeded

from finops.access import Scope
from ledger.tokens import register
from standalone.database import in_ledger

LONG = os.environ.get("STORM") == "long"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(900)]
SESSIONS, AGENTS = (1_000_000, 100_000) if LONG else (5_000, 2_500)
SECONDS_MAX = 300.0
MEMORY_MIB, METRICS_BYTES = 512.0, 200_000


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def scraped(address: str) -> str:
    return httpx2.get(f"http://{address}/metrics", timeout=30).text


def small(text: str) -> None:
    """Metrics, and not of every session."""
    assert text.startswith("# HELP")
    assert len(text) <= METRICS_BYTES
    assert "session-" not in text


def right(answer: httpx2.Response, calls: int) -> None:
    """The rows of one organisation come to so many calls and to what they cost."""
    rows = json.loads(answer.text, parse_float=Decimal)
    assert {row["orgId"] for row in rows} == {"few"}
    assert sum(row["calls"] for row in rows) == calls
    assert sum(row["costUsd"] for row in rows) * 10**12 == calls * CALL_PICO


async def sent_many(address: str) -> tuple[Sent, Sent]:
    """As many sessions as are wanted, and meanwhile another organisation's few calls."""
    chance = seeded()
    many, few = Many(chance, AGENTS), Many(chance, 3, "few-")
    senders = 8 if LONG else 2
    made = 0

    def next_export() -> bytes:
        nonlocal made
        made += SPANS
        return many.export()

    def until_made() -> None:
        due = time.monotonic() + SECONDS_MAX
        while made < SESSIONS:
            assert time.monotonic() < due, f"only {made} sessions in time"
            time.sleep(0.05)

    loads = [
        Load(senders, next_export, SPANS, "fst_many"), Load(1, few.export, SPANS, "fst_few", pause_seconds=1.0),
    ]  # fmt: skip
    loud, quiet = await sent_while(address, loads, 0.0, until_made)
    return loud, quiet


def test_sessions_and_agents_without_end(postgres: Server, tmp_path: Path) -> None:
    with collector_over(postgres, tmp_path) as (collector, url, memory):
        for org in ("many", "few"):
            in_ledger(url, partial(register, name=org, secret=f"fst_{org}", scopes=[Scope.INGEST], org_id=org))
        api = QueryApi(url, tmp_path / "query_api.log")
        judging = Memory(api.pid)
        try:
            began = time.monotonic()
            loud, quiet = asyncio.run(sent_many(collector.address))
            took = time.monotonic() - began
            assert calls_in(url) == loud.acknowledged + quiet.acknowledged
            assert loud.acknowledged >= SESSIONS
            right(api.client.get("/allocations", params={"days": "2", "orgId": "few"}), quiet.acknowledged)
            right(api.client.get("/trends", params={"days": "2", "orgId": "few"}), quiet.acknowledged)
            assert api.client.get("/burn-rates/active", params={"limit": "100"}).status_code == 200
            metrics = scraped(collector.metrics), api.client.get("/../../../actuator/prometheus").text
            for text in metrics:
                small(text)
        finally:
            judging.stop()
            api.stop()
        print(
            f"{loud.acknowledged} sessions of {AGENTS} agents in {took:.0f} s; collector {memory.peak:.0f} MiB, API "
            f"{judging.peak:.0f} MiB, metrics {[len(text) for text in metrics]} bytes; the other organisation: "
            f"{quiet.acknowledged} calls, p99 {quiet.milliseconds(0.99):.0f} ms"
        )
        assert max(memory.peak, judging.peak) <= MEMORY_MIB
        assert quiet.answers.keys() == {"OK"}
        assert broken_in(url, 1) == []

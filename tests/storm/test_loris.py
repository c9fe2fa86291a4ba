"""Hundreds of slow connections: they are gone within fifteen seconds, and who sends properly does not notice them."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from storm.storm_flood import Load, calls_in, collector_over
from storm.storm_loris import Siege, besieged
from storm.storm_processes import Server, server

from benchmarks.ingest_traffic import Template

LONG = os.environ.get("STORM") == "long"
pytestmark = [
    pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(300),
    pytest.mark.skipif(not LONG, reason="runs in make storm"),
]  # fmt: skip
GONE_SECONDS = 15.0
PATIENT = {"FINOPS_HEADER_MS_MAX": "60000", "FINOPS_BODY_MS_MAX": "60000", "FINOPS_GRPC_HANDSHAKE_MS_MAX": "60000"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def at_of(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def siege(postgres: Server, directory: Path, settings: dict[str, str]) -> Siege:
    with collector_over(postgres, directory, settings) as (collector, url, memory):
        grpc, http = (at_of(address) for address in (collector.address, collector.http))
        good = Load(2, Template(10, "bare", 3).export, 10, pause_seconds=0.05)
        found = asyncio.run(besieged(grpc, http, good, GONE_SECONDS))
        held = {name: round(seconds, 1) for name, seconds in found.held_seconds.items()}
        print(
            f"good calls p50 {found.good.milliseconds(0.5):.1f} p99 {found.good.milliseconds(0.99):.1f} ms of "
            f"{len(found.good.seconds)}; held for {held} s; left {dict(found.left)}; peak {memory.peak:.0f} MiB"
        )
        assert calls_in(url) == found.good.acknowledged > 1000
        assert found.good.answers.keys() == {"OK"}
    return found


def test_the_slow_are_sent_away_and_the_others_do_not_notice(postgres: Server, tmp_path: Path) -> None:
    found = siege(postgres, tmp_path, {})
    assert not found.left
    assert found.good.milliseconds(0.99) <= 50


def test_a_patient_collector_is_found_out(postgres: Server, tmp_path: Path) -> None:
    assert siege(postgres, tmp_path, PATIENT).left.total() == 500

"""Damaged exports are answered, counted and set aside; their neighbours and the collector never notice."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from storm.storm_damaged_sent import MESSAGE_BYTES_MAX, DamageStorm
from storm.storm_processes import HERE, ROOT, Server, server
from storm.storm_run import Plan

LONG = os.environ.get("STORM") == "long"
SECONDS = 60.0 if LONG else 1.5
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(400)]
SETTINGS = {"FINOPS_ACCEPT_DAYS_MAX": "3650", "FINOPS_MESSAGE_BYTES_MAX": str(MESSAGE_BYTES_MAX)}
PLAN = Plan(collector_kills=0, server_kills=0, senders=2, pause_seconds=0.02, settings=SETTINGS)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def test_damaged_exports_at_both_doors(postgres: Server, tmp_path: Path) -> None:
    storm = DamageStorm(postgres, PLAN, tmp_path, SECONDS)
    outcome = storm.run()
    print(storm.line())
    assert storm.faults(outcome) == []
    assert storm.answers.total() > 100 * SECONDS / 2
    kinds = ("gRPC OK", "gRPC INVALID_ARGUMENT", "HTTP 200", "HTTP 400")
    for kind in kinds + ("gRPC RESOURCE_EXHAUSTED", "HTTP 413") * LONG:
        assert storm.answers[kind] > 0, f"then there was no {kind}"
    assert outcome.counts["acknowledged"] > 10


@pytest.mark.skipif(not LONG, reason="runs in make storm")
def test_a_build_that_trusts_what_it_parses_is_found_out(postgres: Server, tmp_path: Path) -> None:
    storm = DamageStorm(postgres, PLAN._replace(fault="trust_the_wire"), tmp_path, 1.0)
    found = storm.faults(storm.run())
    print("\n".join(found))
    assert any(text.startswith("answered") for text in found)


@pytest.mark.skipif(not LONG, reason="runs in make storm")
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris is not installed (pip install atheris)"
)
def test_no_bytes_surprise_a_decoder(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(HERE.parent)))}
    command = [sys.executable, str(HERE / "fuzz_decoders.py"), "60", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    print("\n".join(line for line in done.stderr.splitlines() if line.startswith("stat::")))
    assert done.returncode == 0, done.stderr[-3000:]

"""Damaged exports are answered, counted and set aside; their neighbours and the collector never notice."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from storm.storm_damaged_sent import DamageStorm
from storm.storm_processes import Server, server
from storm.storm_run import Plan

LONG = os.environ.get("STORM") == "long"
SECONDS = 60.0 if LONG else 1.5
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(400)]
ALL_TIMES = {"FINOPS_ACCEPT_DAYS_MAX": "3650"}
PLAN = Plan(collector_kills=0, server_kills=0, senders=2, pause_seconds=0.02, settings=ALL_TIMES)


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
    for kind in ("gRPC OK", "gRPC INVALID_ARGUMENT", "HTTP 200", "HTTP 400"):
        assert storm.answers[kind] > 0, f"then there was no {kind}"
    assert outcome.counts["acknowledged"] > 10


@pytest.mark.skipif(not LONG, reason="runs in make storm")
def test_a_build_that_trusts_what_it_parses_is_found_out(postgres: Server, tmp_path: Path) -> None:
    storm = DamageStorm(postgres, PLAN._replace(fault="trust_the_wire"), tmp_path, 1.0)
    found = storm.faults(storm.run())
    print("\n".join(found))
    assert any(text.startswith("answered") for text in found)

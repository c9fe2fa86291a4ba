"""A disk that is full, the database's or the spool's, loses nothing, doubles nothing and stops nobody for good."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import small_disk_at
from storm.storm_disk import SPOOL_BYTES, FullDatabase, FullDisk, FullSpool, server_on_a_small_disk
from storm.storm_processes import Server, server
from storm.storm_run import Plan

LONG = os.environ.get("STORM") == "long"
TIMES = 5 if LONG else 1
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(900 if LONG else 300)]
PLAN = Plan(collector_kills=0, server_kills=0)
SPOOLED = PLAN._replace(settings={"FINOPS_SPOOL_DIR": "{directory}/disk/spool-{seed}", "FINOPS_SPOOL_AFTER_MS": "200"})


@pytest.fixture(scope="module")
def small() -> Iterator[tuple[Server, Path]]:
    with server_on_a_small_disk() as running:
        yield running


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def holds(storm: FullDisk) -> None:
    outcome = storm.run()
    print(storm.line())
    assert outcome.faults() == []
    assert outcome.counts["acknowledged"] > 50
    assert outcome.counts["retryable"] > 10 * storm.times, "then nothing was refused"


def test_a_full_disk_of_the_database(small: tuple[Server, Path], tmp_path: Path) -> None:
    storm = FullDatabase(small[0], PLAN, tmp_path, small[1], TIMES)
    holds(storm)
    assert storm.said["ledger DiskFull"] + storm.died > 0
    assert storm.reasoned == storm.times


def test_a_full_disk_of_the_spool(postgres: Server, tmp_path: Path) -> None:
    with small_disk_at(tmp_path / "disk", SPOOL_BYTES) as disk:
        storm = FullSpool(postgres, SPOOLED, tmp_path, disk, TIMES)
        holds(storm)
    assert storm.said["spool full"] == storm.times


def test_a_build_that_acknowledges_what_does_not_fit_is_found_out(small: tuple[Server, Path], tmp_path: Path) -> None:
    plan = PLAN._replace(fault="acknowledge_without_room")
    outcome = FullDatabase(small[0], plan, tmp_path, small[1], 1).run()
    print("\n".join(outcome.faults()))
    assert outcome.lost > 0

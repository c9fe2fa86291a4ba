"""What earlier versions left is read by this one: nothing is lost, nothing is counted twice, whenever it is killed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from storm.storm_processes import Server, server
from storm.storm_upgrade import UNBELIEVABLE, Upgrading, archives, earlier

from sql import frozen_checksums

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(500)]
LONG = os.environ.get("STORM") == "long"
RUNS, KILLS = (6, 10) if LONG else (1, 2)
ATTEMPTS = RUNS + 3
"""A slow machine may be killed in the middle of nothing; then there is another."""
ARCHIVES = archives() if LONG else [archives()[0], archives()[-1]]
"""What was left of every schema; in the short form by the first and by this one."""


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda path: path.name.partition(".")[0])
def test_what_an_earlier_version_left_is_migrated_and_drained(postgres: Server, tmp_path: Path, archive: Path) -> None:
    left = earlier(archive)
    in_the_middle = 0
    for run in range(1, ATTEMPTS + 1):
        outcome = Upgrading(postgres, left, tmp_path, int.from_bytes(os.urandom(4))).run(KILLS)
        print(outcome.line())
        assert (outcome.lost, outcome.doubled, outcome.aliens, outcome.faults) == (0, 0, 0, [])
        assert outcome.refused == UNBELIEVABLE
        in_the_middle += outcome.killed_draining
        if run >= RUNS and in_the_middle >= RUNS:
            return
    pytest.fail(f"{ATTEMPTS} upgrades did too little")


def test_every_frozen_schema_has_left_something() -> None:
    """`python tests/storm/storm_keep.py`, before the files are frozen."""
    last = max(int(name[:4]) for name in frozen_checksums())
    assert int(archives()[-1].name[:4]) >= last

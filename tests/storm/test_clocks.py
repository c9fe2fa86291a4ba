"""Clocks of the services that jump by an hour or a day move no call, lose none and raise no alarm."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from storm.storm_clock import ASKED, LIBRARY, STEPS, ClockStorm
from storm.storm_processes import Server, server
from storm.storm_run import Plan, broken_in

LONG = os.environ.get("STORM") == "long"
STEP_SECONDS, JUMPS = (10.0, len(STEPS)) if LONG else (0.3, 2)
pytestmark = [
    pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(400),
    pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed (Debian: libfaketime)"),
]  # fmt: skip
PLAN = Plan(collector_kills=0, server_kills=0, senders=3, pause_seconds=0.02)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def test_nothing_that_is_summed_follows_a_clock_that_jumps(postgres: Server, tmp_path: Path) -> None:
    storm = ClockStorm(postgres, PLAN, tmp_path, STEP_SECONDS, JUMPS)
    outcome = storm.run()
    print(f"{JUMPS} steps, answers {dict(storm.answers)}, anomalies {storm.anomalies}")
    assert outcome.faults() == []
    assert storm.misdated() == 0
    assert storm.answers.keys() == {f"{path} 200" for path in ASKED}
    assert storm.anomalies == 0
    assert outcome.counts["acknowledged"] > (30 if LONG else 10)


@pytest.mark.skipif(not LONG, reason="runs in make storm")
def test_a_build_that_follows_every_step_is_found_out(postgres: Server, tmp_path: Path) -> None:
    storm = ClockStorm(postgres, PLAN._replace(fault="follow_every_clock"), tmp_path, 2.0)
    storm.run()
    print(f"misdated {storm.misdated()}")
    assert storm.misdated() > 0


@pytest.mark.skipif(not LONG, reason="runs in make storm")
def test_the_last_of_february_2100_goes_over_into_march(postgres: Server, tmp_path: Path) -> None:
    storm = ClockStorm(postgres, PLAN, tmp_path, STEP_SECONDS)
    sent, rows, burning = storm.new_day(datetime(2100, 2, 28, 23, 59, 50, tzinfo=UTC))
    assert {row["date"]: row["calls"] for row in rows} == {f"{day:%Y-%m-%d}": n for day, n in sent.items()}
    assert [f"{day:%m-%d}" for day in sorted(sent)] == ["02-28", "03-01"]
    assert len(burning) == sum(sent.values())
    assert broken_in(storm.url, 1) == []

"""The storms of `make storm`: minutes of faults, every broken build, long outages, a bad network."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from storm.storm_broken import FAULTS
from storm.storm_run import HERE, Collector, Plan, Server, Storm, environment_of, server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
OUTAGE_SECONDS = 30
SPOOL = {"FINOPS_SPOOL_DIR": "{directory}/spool-{seed}"}
EAGER_SPOOL = {**SPOOL, "FINOPS_SPOOL_AFTER_MS": "200"}

PLANS = {
    "kills": Plan(collector_kills=15),
    "crashes": Plan(collector_kills=0, server_kills=8),
    "kills and crashes": Plan(collector_kills=10, server_kills=6),
    "two replicas": Plan(collector_kills=10, server_kills=4, replicas=2),
    "spool": Plan(collector_kills=10, server_kills=6, pause_seconds=0.1, settings=EAGER_SPOOL),
    "two replicas with spools": Plan(
        collector_kills=10, server_kills=6, replicas=2, pause_seconds=0.15, settings=EAGER_SPOOL
    ),
    "outages with a spool": Plan(
        collector_kills=0, server_kills=2, pause_seconds=0.2, down_seconds=(15, 20), settings=SPOOL
    ),
    "bad network": Plan(collector_kills=4, server_kills=2, replicas=2, calm_seconds=(2, 4), bad_network=True),
    "bad network with spools": Plan(
        collector_kills=4, server_kills=2, replicas=2, calm_seconds=(2, 4), pause_seconds=0.2,
        bad_network=True, settings=EAGER_SPOOL,
    ),
}  # fmt: skip
BROKEN = {
    "acknowledge_on_enqueue": Plan(collector_kills=2, server_kills=1, senders=4),
    "no_deduplication": Plan(collector_kills=0, server_kills=0, senders=6, calm_seconds=(1, 3)),
    "float_money": Plan(collector_kills=0, server_kills=0, senders=6),
    "commit_without_waiting": Plan(collector_kills=0, server_kills=4),
}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_nothing_is_lost_or_doubled(postgres: Server, tmp_path: Path, plan: Plan) -> None:
    outcome = Storm(postgres, plan, tmp_path).run()
    assert outcome.faults() == []
    assert (outcome.kills, outcome.crashes) == (plan.collector_kills, plan.server_kills)
    assert outcome.counts["acknowledged"] > 200
    assert outcome.counts["redelivered"] > 20


@pytest.mark.parametrize("with_spool", [True, False])
def test_an_outage_loses_nothing_of_default_sdks_where_there_is_a_spool(
    postgres: Server, tmp_path: Path, with_spool: bool
) -> None:
    url = postgres.database()
    settings = {"FINOPS_SPOOL_DIR": str(tmp_path / "spool")} if with_spool else {}
    collector = Collector(environment_of(url, settings), ["-m", "collector"], tmp_path / "collector.log")
    collector.start()
    try:
        asked = {"address": collector.address, "spans_per_second": 500, "seconds": OUTAGE_SECONDS + 20}
        command = [sys.executable, str(HERE / "storm_sdk.py"), json.dumps(asked)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as application:
            time.sleep(10)  # calm
            postgres.crash(OUTAGE_SECONDS)
            back = time.monotonic()
            said, _ = application.communicate(timeout=OUTAGE_SECONDS + 60)
        while collector.spooled():
            time.sleep(0.1)
        drained = time.monotonic() - back
    finally:
        collector.end(signal.SIGTERM)
    with psycopg.connect(url) as connection:
        found = connection.execute("select coalesce(sum(calls), 0) from entries").fetchone()
    assert found is not None
    made = int(said)
    said = f"made {made}, counted {found[0]}, drained after {drained:.0f} s"
    print(f"outage {OUTAGE_SECONDS} s, spool {with_spool}: {said}")
    if with_spool:
        assert found[0] == made
    else:
        assert found[0] < made, "then the spool is not what saves them"


def test_every_way_to_break_it_is_tried() -> None:
    assert BROKEN.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_build_is_found_out_in_the_long_run(postgres: Server, tmp_path: Path, fault: str) -> None:
    outcome = Storm(postgres, BROKEN[fault]._replace(fault=fault), tmp_path).run()
    print("\n".join(outcome.faults()))
    assert outcome.faults() != []

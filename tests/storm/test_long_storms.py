"""The storms of `make storm`: minutes of faults, every broken build, long outages, a bad network."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from storm.storm_broken import FAULTS
from storm.storm_outage import SPANS_PER_SECOND, outage
from storm.storm_processes import Server, server
from storm.storm_run import Plan, Storm

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
OUTAGE_SECONDS = int(os.environ.get("STORM_OUTAGE_SECONDS", "600"))
SPOOL = {"FINOPS_SPOOL_DIR": "{directory}/spool-{seed}"}
EAGER_SPOOL = {**SPOOL, "FINOPS_SPOOL_AFTER_MS": "200"}

PLANS = {
    "kills": Plan(collector_kills=15),
    "crashes": Plan(collector_kills=0, server_kills=8),
    "kills and crashes": Plan(collector_kills=10, server_kills=6),
    "two replicas": Plan(collector_kills=10, server_kills=4, replicas=2),
    "two replicas, every export to both": Plan(collector_kills=10, server_kills=4, replicas=2, overlap=True),
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


def test_an_outage_loses_nothing_of_default_sdks_where_there_is_a_spool(postgres: Server, tmp_path: Path) -> None:
    found = outage(postgres, tmp_path, OUTAGE_SECONDS, spool=True)
    print(found.line())
    assert found.counted == found.made > 0.9 * SPANS_PER_SECOND * OUTAGE_SECONDS
    assert found.drained_seconds < 120
    assert found.anomalies == 0
    assert found.thinnest_slot > 5 * SPANS_PER_SECOND, "then the backlog does not count at the time it was made"
    assert found.broken == []


def test_without_a_spool_an_outage_costs_default_sdks_money(postgres: Server, tmp_path: Path) -> None:
    found = outage(postgres, tmp_path, 30, spool=False)
    print(found.line())
    assert found.counted < found.made, "then the spool is not what saves them"
    assert found.broken == []


def test_every_way_to_break_it_is_tried() -> None:
    """Others in ``test_full_disks``, ``test_damage``, ``test_floods``, ``test_clocks`` and ``test_any_use``."""
    elsewhere = {"acknowledge_without_room", "trust_the_wire", "first_come_first_served", "follow_every_clock"}
    elsewhere |= {"late_is_now"}
    assert BROKEN.keys() | elsewhere == FAULTS.keys()


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_build_is_found_out_in_the_long_run(postgres: Server, tmp_path: Path, fault: str) -> None:
    outcome = Storm(postgres, BROKEN[fault]._replace(fault=fault), tmp_path).run()
    print("\n".join(outcome.faults()))
    assert outcome.faults() != []

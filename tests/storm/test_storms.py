"""Nothing acknowledged is lost, nothing is counted twice, whatever is killed; and a storm finds broken builds out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from storm.storm_processes import Server, server
from storm.storm_run import Outcome, Plan, Storm

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(500)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


ATTEMPTS = 4
"""A slow machine may do too little in the time of a storm; then there is another."""


def was_a_storm(outcome: Outcome, plan: Plan) -> bool:
    """Whether it did enough to prove anything."""
    enough = {"acknowledged": 50, "stored": 500, "redelivered": 3, "doubled": 3, "retryable": 0}
    return (
        outcome.kills == plan.collector_kills
        and outcome.crashes == plan.server_kills
        and all(outcome.counts[name] > least for name, least in enough.items())
    )


SPOOL = {"FINOPS_SPOOL_DIR": "{directory}/spool-{seed}", "FINOPS_SPOOL_AFTER_MS": "200"}


@pytest.mark.parametrize("settings", [{}, SPOOL], ids=["without a spool", "with a spool"])
def test_kills_of_collector_and_database_lose_and_double_nothing(
    postgres: Server, tmp_path: Path, settings: dict[str, str]
) -> None:
    plan = Plan(collector_kills=2, server_kills=2)
    if settings:
        plan = plan._replace(server_kills=1, replicas=2, senders=6, pause_seconds=0.2, settings=settings)
    outcomes = []
    for _ in range(ATTEMPTS):
        outcomes.append(Storm(postgres, plan, tmp_path).run())
        assert outcomes[-1].faults() == []
        if was_a_storm(outcomes[-1], plan):
            return
    pytest.fail(f"{ATTEMPTS} storms did too little: {outcomes}")


BROKEN = [
    Plan(collector_kills=1, server_kills=0, senders=4, fault="acknowledge_on_enqueue"),
    Plan(collector_kills=0, server_kills=0, senders=6, calm_seconds=(1, 3), fault="no_deduplication"),
]


@pytest.mark.parametrize("plan", BROKEN, ids=lambda plan: plan.fault)
def test_a_broken_build_is_found_out(postgres: Server, tmp_path: Path, plan: Plan) -> None:
    assert any(Storm(postgres, plan, tmp_path).run().faults() for _ in range(ATTEMPTS))

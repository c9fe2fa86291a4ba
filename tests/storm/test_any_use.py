"""Whatever is done to an installation, in whatever order: every answer is what a dictionary and whole numbers say."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from storm.any_use import AnyUse, Installation
from storm.storm_processes import HERE, Collector, QueryApi, Server, environment_of, server
from storm.storm_run import broken_in, printed_seed

LONG = os.environ.get("STORM") == "long"
RUNS, STEPS = (int(os.environ.get("STORM_RUNS", "500")), 60) if LONG else (4, 15)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("storm"), pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with server() as running:
        yield running


def lived(postgres: Server, directory: Path, runs: int, fault: str | None = None) -> list[str]:
    """What does not hold afterwards; raises where an answer was wrong."""
    url = postgres.database()
    command = ["-m", "collector"] if fault is None else [str(HERE / "storm_broken.py"), fault]
    first, second = (Collector(environment_of(url, {}), command, directory / f"collector-{n}.log") for n in (1, 2))
    api = QueryApi(url, directory / "query_api.log", FINOPS_API_REQUESTS_PER_SECOND="0", FINOPS_BUDGETS_MAX="9999")

    class Lived(AnyUse):
        installation = Installation((first, second), api)
        restarting = LONG

    seed(printed_seed())(Lived)
    try:
        first.start()
        second.start()
        run_state_machine_as_test(
            Lived,
            settings=settings(
                max_examples=runs, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck),
                database=None,
            ),
        )  # fmt: skip
    finally:
        first.stop()
        second.stop()
        api.stop()
        print(
            f"{AnyUse.runs} runs, {AnyUse.exports} exports, {AnyUse.compared} comparisons, {AnyUse.restarts} restarts"
        )
    return broken_in(url, 1)


def test_any_use_in_any_order_is_what_the_model_says(postgres: Server, tmp_path: Path) -> None:
    assert lived(postgres, tmp_path, RUNS) == []
    if LONG:
        assert AnyUse.exports > 3 * RUNS
        assert AnyUse.restarts > 0


@pytest.mark.skipif(not LONG, reason="runs in make storm")
@pytest.mark.parametrize("fault", ["no_deduplication", "float_money", "late_is_now"])
def test_a_broken_build_is_found_out_by_use(postgres: Server, tmp_path: Path, fault: str) -> None:
    with pytest.raises(AssertionError):
        lived(postgres, tmp_path, 50, fault)

"""Agents → a gateway Collector → two receivers of ours → one ledger, one of them stopped meanwhile: exact figures."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import otelcol_process
import pytest
from name_server import name_server
from outage_world import Receiver, agent_runs, expected, sums, wait_until
from ports import free_port

HOSTS = ("127.0.0.1", "127.0.0.2")
RUNS_MAX = 20


@pytest.fixture
def receivers(database_url: str, tmp_path: Path) -> Iterator[list[Receiver]]:
    """Two of them on one port, as two pods have it."""
    port = free_port()
    made = [Receiver(database_url, tmp_path, host, port) for host in HOSTS]
    yield made
    for receiver in made:
        receiver.kill()


def counted(database_url: str, runs: int) -> bool:
    return sums(database_url) >= expected(runs)


def runs_until_both_have_some(gateway: otelcol_process.Otelcol, receivers: list[Receiver], database_url: str) -> int:
    """How many runs it took."""
    for runs in range(1, RUNS_MAX + 1):
        agent_runs(gateway, "a question")
        wait_until(partial(counted, database_url, runs), f"not counted after {runs} runs")
        if all(receiver.spans() for receiver in receivers):
            return runs
    raise AssertionError(f"all of {RUNS_MAX} runs went to one receiver")


@pytest.mark.timeout(240)
def test_a_receiver_that_stops_is_left_out_and_the_other_takes_everything(
    receivers: list[Receiver], database_url: str, tmp_path: Path
) -> None:
    for receiver in receivers:
        receiver.start()
    files = (otelcol_process.CONFIGURATION, otelcol_process.VARIANTS / "gateway.yaml")
    with name_server(HOSTS) as names:
        address = f"dns://{names}/receivers.finops.internal:{receivers[0].port}"
        gateway = otelcol_process.start(tmp_path, *files, FINOPS_RECEIVER=address)
        try:
            runs = runs_until_both_have_some(gateway, receivers, database_url)
            receivers[0].kill()
            for _ in range(3):
                agent_runs(gateway, "another question")
            wait_until(partial(counted, database_url, runs + 3), f"{sums(database_url)} of {runs + 3} runs")
            wait_until(lambda: gateway.metric("otelcol_exporter_queue_size") == 0, "the queue is not empty")
        finally:
            gateway.stop()
    assert sums(database_url) == expected(runs + 3)


@pytest.mark.timeout(240)
def test_with_traces_kept_together_what_belongs_to_a_stopped_receiver_waits_for_it(
    receivers: list[Receiver], database_url: str, tmp_path: Path
) -> None:
    otelcol_process.needs("loadbalancing")
    for receiver in receivers:
        receiver.start()
    told = tmp_path / "addresses.yaml"
    listed = ", ".join(receiver.address for receiver in receivers)
    told.write_text(
        f"exporters: {{loadbalancing/finops: {{resolver: {{dns: null, static: {{hostnames: [{listed}]}}}}}}}}"
    )
    files = (otelcol_process.CONFIGURATION, otelcol_process.VARIANTS / "gateway-by-trace.yaml", told)
    gateway = otelcol_process.start(tmp_path, *files)
    try:
        runs = runs_until_both_have_some(gateway, receivers, database_url)
        receivers[0].kill()
        for _ in range(6):
            agent_runs(gateway, "another question")
        gateway.kill()
        gateway = otelcol_process.start(tmp_path, *files)
        agent_runs(gateway, "a last question")
        receivers[0].start()
        wait_until(partial(counted, database_url, runs + 7), f"{sums(database_url)} of {runs + 7} runs")
        wait_until(lambda: gateway.metric("otelcol_exporter_queue_size") == 0, "the queue is not empty")
    finally:
        gateway.stop()
    assert sums(database_url) == expected(runs + 7)

"""Agent → the real OpenTelemetry Collector → our receiver → ledger, each of them killed: exact figures after all."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import kafka_process
import otelcol_process
import pytest
from outage_world import Receiver, agent_runs, expected, sums, wait_until


@pytest.fixture
def receiver(database_url: str, tmp_path: Path) -> Iterator[Receiver]:
    made = Receiver(database_url, tmp_path)
    yield made
    made.kill()


@pytest.fixture
def start_otelcol(tmp_path: Path, receiver: Receiver) -> Iterator[Callable[..., otelcol_process.Otelcol]]:
    """Starts Collectors one after the other on one queue."""
    started: list[otelcol_process.Otelcol] = []

    def start(*variants: str) -> otelcol_process.Otelcol:
        files = [otelcol_process.CONFIGURATION, *(otelcol_process.VARIANTS / f"{name}.yaml" for name in variants)]
        started.append(otelcol_process.start(tmp_path, *files, FINOPS_RECEIVER=receiver.address))
        return started[-1]

    yield start
    for otelcol in started:
        otelcol.kill()


@pytest.mark.timeout(240)
def test_nothing_is_lost_or_doubled_while_the_receiver_is_away_and_the_collector_is_killed(
    receiver: Receiver,
    start_otelcol: Callable[..., otelcol_process.Otelcol],
    database_url: str,
    tmp_path: Path,
) -> None:
    otelcol = start_otelcol()
    agent_runs(otelcol, "a secret question")
    agent_runs(otelcol, "another secret")
    otelcol.kill()
    otelcol = start_otelcol()
    agent_runs(otelcol, "a third secret")
    assert sums(database_url) == (0, 0, 0, 0)

    receiver.start()
    wait_until(lambda: sums(database_url)[0] > 0, "nothing arrives")
    otelcol.kill()
    receiver.kill()
    otelcol = start_otelcol("sidecar")
    receiver.start()
    sender = threading.Thread(target=agent_runs, args=(otelcol, "a fourth secret"))
    sender.start()
    sender.join(60)

    wait_until(lambda: sums(database_url) >= expected(4), f"{sums(database_url)} of {expected(4)}")
    wait_until(lambda: otelcol.metric("otelcol_exporter_queue_size") == 0, "the queue is not empty")
    otelcol.stop()
    assert sums(database_url) == expected(4)
    assert b"secret" not in b"".join(path.read_bytes() for path in (tmp_path / "queue").iterdir() if path.is_file())


@pytest.mark.timeout(120)
def test_a_second_pipeline_that_samples_everything_away_does_not_touch_the_figures(
    receiver: Receiver, database_url: str, tmp_path: Path
) -> None:
    beside = tmp_path / "beside.yaml"
    beside.write_text(
        """
        processors: {filter/sampled: {trace_conditions: ['span.name != ""']}}
        exporters: {nop: {}}
        service:
          pipelines:
            traces/yours: {receivers: [otlp], processors: [filter/sampled], exporters: [nop]}
        """
    )
    receiver.start()
    files = (otelcol_process.CONFIGURATION, otelcol_process.VARIANTS / "gateway.yaml", beside)
    otelcol = otelcol_process.start(tmp_path, *files, FINOPS_RECEIVER=f"dns:///{receiver.address}")
    try:
        agent_runs(otelcol, "a question")
        wait_until(lambda: sums(database_url) == expected(1), f"{sums(database_url)} of {expected(1)}")
    finally:
        otelcol.stop()


@pytest.mark.timeout(240)
def test_with_kafka_between_nothing_is_lost_or_doubled_while_the_reading_half_is_killed(
    receiver: Receiver, database_url: str, tmp_path: Path
) -> None:
    kafka = kafka_process.Kafka(tmp_path)
    running: list[otelcol_process.Otelcol] = []
    variables = {"KAFKA_BROKERS": kafka.address, "FINOPS_RECEIVER": receiver.address}

    def start(*files: Path) -> otelcol_process.Otelcol:
        running.append(otelcol_process.start(tmp_path, *files, **variables))
        return running[-1]

    try:
        sending = start(otelcol_process.CONFIGURATION, otelcol_process.VARIANTS / "kafka-in.yaml")
        for _ in range(3):
            agent_runs(sending, "a secret question")
        wait_until(lambda: sending.metric("otelcol_exporter_queue_size") == 0, "Kafka does not take it")
        reading = start(otelcol_process.VARIANTS / "kafka-out.yaml")
        reading.kill()
        receiver.start()
        reading = start(otelcol_process.VARIANTS / "kafka-out.yaml")
        wait_until(lambda: sums(database_url)[0] > 0, "nothing comes out of Kafka")
        reading.kill()
        receiver.kill()
        receiver.start()
        start(otelcol_process.VARIANTS / "kafka-out.yaml")
        agent_runs(sending, "another secret")
        wait_until(lambda: sums(database_url) >= expected(4), f"{sums(database_url)} of {expected(4)}")
        assert sums(database_url) == expected(4)
        assert b"secret" not in b"".join(path.read_bytes() for path in (tmp_path / "kafka").rglob("*.log"))
    finally:
        for otelcol in running:
            otelcol.kill()
        kafka.stop()

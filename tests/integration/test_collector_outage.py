"""Agent → the real OpenTelemetry Collector → our receiver → ledger, each of them killed: exact figures after all."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import kafka_process
import otelcol_process
import psycopg
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

CALLS_A_RUN = 150
INPUT_TOKENS, OUTPUT_TOKENS = 1000, 100
WAIT_SECONDS_MAX = 90
SUMS = """
    select coalesce(sum(calls), 0), coalesce(sum(agent_runs), 0), coalesce(sum(input_tokens), 0),
           coalesce(sum(output_tokens), 0)
    from usage_1d
"""


class Receiver:
    """`python -m collector` at one address, started and killed again and again."""

    def __init__(self, database_url: str, directory: Path) -> None:
        self.port = otelcol_process.free_ports(1)[0]
        self._log = directory / "receiver.log"
        self._environment = otelcol_process.environment(
            {
                "FINOPS_ALLOW_SUPERUSER": "1",
                "FINOPS_DATABASE_URL": database_url,
                "FINOPS_ALLOW_FSYNC_OFF": "1",
                "FINOPS_OTLP_GRPC": f"127.0.0.1:{self.port}",
                "FINOPS_OTLP_HTTP": "127.0.0.1:0",
                "FINOPS_METRICS": "127.0.0.1:0",
            }
        )
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "collector"], cwd=otelcol_process.ROOT, env=self._environment, text=True,
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._process.stdout is not None
        assert self._process.stdout.readline().startswith("ready collector")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=30)
            self._process = None


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
        started.append(otelcol_process.start(tmp_path, *files, FINOPS_RECEIVER=f"127.0.0.1:{receiver.port}"))
        return started[-1]

    yield start
    for otelcol in started:
        otelcol.kill()


def agent_runs(otelcol: otelcol_process.Otelcol, prompt: str) -> None:
    """An agent under the SDK: a request with one run in it that makes calls; all of it acknowledged."""
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"http://{otelcol.grpc}", insecure=True)))
    tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2")
    with (
        tracer.start_as_current_span("POST /ask"),
        tracer.start_as_current_span(
            "invoke_agent finder", attributes={"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "finder"}
        ),
    ):
        for _ in range(CALLS_A_RUN):
            with tracer.start_as_current_span("plain"), tracer.start_as_current_span(
                "chat gpt-4o",
                attributes={
                    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
                    "gen_ai.usage.input_tokens": INPUT_TOKENS, "gen_ai.usage.output_tokens": OUTPUT_TOKENS,
                    "gen_ai.input.messages": json.dumps([{"role": "user", "content": prompt}]),
                },
            ):  # fmt: skip
                pass
    assert provider.force_flush(60_000)
    provider.shutdown()


def sums(database_url: str) -> tuple[int, ...]:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(SUMS).fetchone()
    assert row is not None
    return tuple(map(int, row))


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def expected(runs: int) -> tuple[int, ...]:
    calls = runs * CALLS_A_RUN
    return calls, runs, calls * INPUT_TOKENS, calls * OUTPUT_TOKENS


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
    address = f"127.0.0.1:{receiver.port}"
    files = (otelcol_process.CONFIGURATION, otelcol_process.VARIANTS / "gateway.yaml", beside)
    otelcol = otelcol_process.start(tmp_path, *files, FINOPS_RECEIVER=f"dns:///{address}")
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
    variables = {"KAFKA_BROKERS": kafka.address, "FINOPS_RECEIVER": f"127.0.0.1:{receiver.port}"}

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

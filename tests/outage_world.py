"""Our receiver as a process that comes and goes, and agents that send to the Collector in front of it."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import otelcol_process
import psycopg
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from ports import free_port

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

    def __init__(self, database_url: str, directory: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.port = port or free_port()
        self.address = f"{host}:{self.port}"
        self._log = directory / f"receiver-{host}.log"
        self._environment = otelcol_process.environment(
            {
                "FINOPS_ALLOW_SUPERUSER": "1",
                "FINOPS_DATABASE_URL": database_url,
                "FINOPS_ALLOW_FSYNC_OFF": "1",
                "FINOPS_OTLP_GRPC": self.address,
                "FINOPS_OTLP_HTTP": "127.0.0.1:0",
                "FINOPS_METRICS": "127.0.0.1:0",
            }
        )
        self._process: subprocess.Popen[str] | None = None
        self._metrics = ""

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "collector"], cwd=otelcol_process.ROOT, env=self._environment, text=True,
                stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        assert self._process.stdout is not None
        ready = self._process.stdout.readline()
        assert ready.startswith("ready collector"), self._log.read_text()[-4000:]
        self._metrics = f"http://{ready.split('metrics=')[1].strip()}/metrics"

    def spans(self) -> float:
        """How many it has decoded since it was started."""
        page = urllib.request.urlopen(self._metrics, timeout=10).read().decode()
        lines = [line for line in page.splitlines() if line.startswith("finops_decode_spans_total{")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate(timeout=30)
            self._process = None


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

"""The real OpenTelemetry Collector as a process, where `make collector-build` has built one."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from ports import free_ports

ROOT = Path(__file__).resolve().parents[1]
VARIANTS = ROOT / "examples" / "opentelemetry-collector"
CONFIGURATION = ROOT / "otel-config.yaml"
START_SECONDS_MAX = 60
PORTS = ("OTLP_GRPC", "OTLP_HTTP", "OTELCOL_HEALTH")


def binary() -> str:
    """The Collector's path; skips the test where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    path = Path(os.environ.get("FINOPS_OTELCOL") or cache / "agent-finops" / "otelcol-finops")
    if not path.is_file():
        pytest.skip("no OpenTelemetry Collector to run: `make collector-build` builds one (Go, some minutes)")
    return str(path)


def needs(component: str) -> None:
    """Skips the test where the Collector was built without this part."""
    listed = subprocess.run([binary(), "components"], capture_output=True, text=True, check=True).stdout
    if f"name: {component}\n" not in listed:
        pytest.skip(f"this OpenTelemetry Collector has no {component}: `make collector-build` builds one that has")


class Otelcol(NamedTuple):
    """A running Collector and where it listens."""

    process: subprocess.Popen[bytes]
    grpc: str
    http: str
    metrics: str
    log: Path

    def kill(self) -> None:
        """SIGKILL: no queue is flushed, no goodbye said."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        """SIGTERM, then the end of the process."""
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()

    def metric(self, name: str) -> float:
        """The sum of one of its own metrics over all its labels."""
        page = urllib.request.urlopen(self.metrics, timeout=10).read().decode()
        lines = [line for line in page.splitlines() if line.startswith((f"{name}{{", f"{name} ", f"{name}_total"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


def start(directory: Path, *configurations: Path, **variables: str) -> Otelcol:
    """Starts it on free ports, with its queue in ``directory``, and waits until it is healthy."""
    grpc, http, health, metrics = free_ports(4)
    environment = {
        "PATH": os.environ["PATH"],
        "FINOPS_QUEUE_DIR": str(directory / "queue"),
        "OTLP_GRPC": f"127.0.0.1:{grpc}",
        "OTLP_HTTP": f"127.0.0.1:{http}",
        "OTELCOL_HEALTH": f"127.0.0.1:{health}",
        "OTELCOL_METRICS_HOST": "127.0.0.1",
        "OTELCOL_METRICS_PORT": str(metrics),
        "SIDECAR_GRPC_PORT": str(grpc),
        "SIDECAR_HTTP_PORT": str(http),
        **variables,
    }
    log = directory / "otelcol.log"
    command = [binary(), *(word for path in configurations or (CONFIGURATION,) for word in ("--config", str(path)))]
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    started = Otelcol(process, f"127.0.0.1:{grpc}", f"127.0.0.1:{http}", f"http://127.0.0.1:{metrics}/metrics", log)
    _wait_for(f"http://127.0.0.1:{health}/", started)
    return started


def _wait_for(address: str, started: Otelcol) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        assert started.process.poll() is None, started.log.read_text()[-4000:]
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    started.kill()
    raise AssertionError(f"not healthy after {START_SECONDS_MAX} s: {started.log.read_text()[-4000:]}")


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of ours or of OpenTelemetry, and with ``variables``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_", "OTEL_"))}
    return {**kept, **variables}

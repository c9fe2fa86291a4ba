"""The other side of the demo, as processes of their own: the model server with its bill, and the agents it bills.

The agents are the unchanged scripts of ``examples/agents``, run under ``opentelemetry-instrument``; all they are told
of agent-finops is in environment variables.
"""

import importlib.util
import json
import selectors
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from standalone.child import module_command, module_environment
from standalone.failures import CannotStart

SCRIPTS = Path(__file__).resolve().parents[1] / "examples" / "agents"
"""In a checkout and in an installation."""
AGENTS = ("research_agent", "support_agent", "digest_agent")
NEEDED = (
    "openai",
    "opentelemetry.distro",
    "opentelemetry.exporter.otlp.proto.grpc",
    "opentelemetry.instrumentation.genai.openai",
)
LOG_LINES_SHOWN = 10
START_SECONDS = 15.0
STOP_SECONDS = 5.0


def missing_packages() -> list[str]:
    """What the extra ``demo`` would have installed and is not there."""
    return [name for name in NEEDED if not _found(name)] + (
        [] if _launcher().exists() else ["opentelemetry-instrument"]
    )


def agent_environment(agent: str, otlp_grpc: str) -> dict[str, str]:
    """All an agent needs to be seen: where spans go (``otlp_grpc`` is a URL), and its name."""
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp_grpc,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_SERVICE_NAME": agent,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }


class ModelServerProcess:
    """``examples.model_server`` on a free port, until left. ``one_token_more`` lets it falsify its bill."""

    def __init__(self, log: Path, environment: Mapping[str, str], *, one_token_more: bool = False) -> None:
        self._log = log
        self._environment = environment
        self._options = ["--bill-one-token-more"] if one_token_more else []
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> Self:
        command = [*module_command("examples.model_server"), *self._options]
        environment = module_environment(self._environment)
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        assert self._process.stdout is not None
        self.url = self._ready(self._process.stdout)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is None:
            return
        _end(self._process)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def bill(self) -> Any:
        """What it charges so far; the shape is ``examples.bill.Bill.as_json``'s."""
        with urllib.request.urlopen(f"{self.url}/bill", timeout=10) as answer:
            return json.load(answer)

    def _ready(self, output: IO[bytes]) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            line = output.readline().decode().split() if selector.select(START_SECONDS) else []
        if line[:2] != ["ready", "model-server"]:
            self.__exit__(None, None, None)
            raise CannotStart(f"the model server did not start; see {self._log}")
        return line[2]


class AgentProcesses:
    """The three agents, side by side. Leaving it early ends them."""

    def __init__(self, *, otlp_grpc: str, model_server: str, logs: Path, environment: Mapping[str, str]) -> None:
        self._otlp_grpc = otlp_grpc
        self._model_server = model_server
        self._logs = logs
        # Telemetry settings of the person at the terminal are for their own agents.
        self._environment = {name: value for name, value in environment.items() if not name.startswith("OTEL_")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        for agent in AGENTS:
            self._running[agent] = self._start(agent)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running.values():
            _end(process)

    def running(self) -> list[str]:
        """Who is not done yet. Raises CannotStart where one has failed."""
        for agent, process in self._running.items():
            if process.poll():
                said = "\n".join(last_words(self._logs, agent))
                raise CannotStart(f"{agent} ended with status {process.returncode}:\n{said}")
        return [agent for agent, process in self._running.items() if process.returncode is None]

    def _start(self, agent: str) -> subprocess.Popen[bytes]:
        environment = self._environment | agent_environment(agent, self._otlp_grpc)
        environment |= {"OPENAI_BASE_URL": f"{self._model_server}/v1", "OPENAI_API_KEY": agent}
        script = SCRIPTS / f"{agent}.py"
        command = [str(_launcher()), sys.executable, str(script)]
        with (self._logs / f"{agent}.log").open("wb") as log:
            return subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )


def last_words(logs: Path, agent: str) -> list[str]:
    """The end of what an agent, or the instrumentation in it, complained of."""
    return (logs / f"{agent}.log").read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:]


def _launcher() -> Path:
    return Path(sys.executable).with_name("opentelemetry-instrument")


def _found(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()

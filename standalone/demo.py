"""``agent-finops demo``: the whole product beside a model server that keeps its own bill, and are the two the same?

Starts the stack on an emptied data directory, runs the example agents as anyone would run theirs, waits until the
REST API shows their calls, prints what they cost, and compares every figure with the bill to the last digit.
"""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from doors.settings_values import Address
from standalone.api_client import Api, ApiFault
from standalone.demo_agents import (
    AGENTS,
    AgentProcesses,
    ModelServerProcess,
    agent_environment,
    last_words,
    missing_packages,
)
from standalone.demo_data import empty_data_dir
from standalone.demo_report import (
    Spend,
    calls_seen,
    differences,
    figures_compared,
    read_spend,
    tables,
)
from standalone.failures import CannotStart
from standalone.patience import Patience
from standalone.processes import Stack, StackSettings
from standalone.table_text import Ink, ink_of

MATCHES = "matches the model server's bill to the last digit"
START_ATTEMPTS = 3
AGENTS_SECONDS = 60.0
ARRIVAL_SECONDS = 30.0
EXPECTED_USD_PER_HOUR = {"research_agent": 0.5, "support_agent": 0.5}
"""What the demo says these agents may spend; one of them goes far beyond."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``agent-finops demo``."""
    parser.add_argument("--once", action="store_true", help="print and exit: 0 if every figure is the bill's, else 1")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=Path(".agent-finops/demo"),
        help="the demo's own data directory, emptied at each start (default: %(default)s)",
    )
    parser.add_argument("--bill-one-token-more", action="store_true", help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """The exit status: 0, or 1 where a figure differs or something did not start, or 2 where packages are missing."""
    if missing := missing_packages():
        _complain(f"the demo needs {', '.join(missing)}: pip install 'agent-finops[demo]'")
        return 2
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _demonstrate(arguments)
    except (CannotStart, ApiFault) as fault:
        _complain(str(fault))
        return 1
    except KeyboardInterrupt:
        return 130 if arguments.once else 0
    finally:
        signal.signal(signal.SIGTERM, previous)


def _demonstrate(arguments: argparse.Namespace) -> int:
    data_dir = empty_data_dir(arguments.data_dir, _say)
    logs = data_dir / "logs"
    _say(f"Starting PostgreSQL, the collector and the query API in {data_dir}")
    with (
        _running_stack(data_dir) as stack,
        ModelServerProcess(
            logs / "model_server.log", _environment(), one_token_more=arguments.bill_one_token_more
        ) as model_server,
    ):
        _say(f"A model server that keeps its own bill runs at {model_server.url}")
        api = Api(stack.api_url, stack.admin_token)
        for agent, expected in EXPECTED_USD_PER_HOUR.items():
            api.put(f"/baselines/{agent}", {"baselineUsdPerHour": expected})
        _run_agents(stack.otlp_grpc_url, model_server.url, logs)
        bill = model_server.bill()
        spend = _arrived(api, bill["total"]["calls"])
        ink = ink_of(sys.stdout, os.environ)
        print(f"\n{tables(spend, ink)}\n")
        status = _judge(spend, bill, ink, logs)
        if not arguments.once:
            print(f"\nThe page: {stack.page_url}\nThe bill: {model_server.url}/bill", flush=True)
            _stay_up(stack)
        return status


@contextmanager
def _running_stack(data_dir: Path) -> Iterator[Stack]:
    """Started anew on other ports where another program took one between the choice and the start."""
    for attempt in range(1, START_ATTEMPTS + 1):
        stack = Stack(_settings(data_dir, defaults=attempt == 1), _environment(), _say)
        try:
            stack.start()
        except CannotStart as fault:
            if attempt == START_ATTEMPTS or "Address already in use" not in str(fault):
                raise
            _say("Another program took a port meanwhile: starting again on other ports")
            continue
        with stack:
            yield stack
        return


def _environment() -> dict[str, str]:
    """Without what leads to this person's own ledger, token or certificates."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("FINOPS_") or name.startswith("FINOPS_POSTGRES_")
    }


def _settings(data_dir: Path, *, defaults: bool) -> StackSettings:
    """The default ports, and free ones in place of those that are taken or not wanted."""
    usual = StackSettings()
    chosen = []
    with ExitStack() as held:
        for address in (usual.otlp_grpc, usual.otlp_http, usual.api, usual.metrics):
            if defaults and _is_free(address):
                chosen.append(address)
                continue
            spare = held.enter_context(socket.create_server((address.host, 0)))
            chosen.append(Address(address.host, spare.getsockname()[1]))
            if defaults:
                _say(f"{address} is taken: {chosen[-1]} is used instead")
    otlp_grpc, otlp_http, api, metrics = chosen
    return StackSettings(data_dir=data_dir, otlp_grpc=otlp_grpc, otlp_http=otlp_http, api=api, metrics=metrics)


def _is_free(address: Address) -> bool:
    try:
        socket.create_server(address).close()
    except OSError:
        return False
    return True


def _stay_up(stack: Stack) -> None:
    try:
        _say("Everything stays up until Ctrl-C.")
        while True:
            stack.watch(1.0)
    except KeyboardInterrupt:
        _say("Stopping")


def _run_agents(otlp_grpc: str, model_server: str, logs: Path) -> None:
    _say(f"Running {len(AGENTS)} agents under opentelemetry-instrument, told of agent-finops by environment variables:")
    for name, value in agent_environment(AGENTS[0], otlp_grpc).items():
        _say(f"    {name}={value}")
    patience = Patience("Waiting for the agents", _say)
    with AgentProcesses(otlp_grpc=otlp_grpc, model_server=model_server, logs=logs, environment=os.environ) as agents:
        while running := agents.running():
            if patience.waited() > AGENTS_SECONDS:
                raise CannotStart(f"not done after {AGENTS_SECONDS:.0f} s: {', '.join(running)}; see {logs}")
            patience.wait(partial("running: {}".format, ", ".join(running)))


def _arrived(api: Api, calls: int) -> Spend:
    """What the API says once it says as many calls as were billed, or when it had long enough to."""
    patience = Patience("Waiting for the API", _say)
    while (seen := calls_seen(api)) < calls and patience.waited() < ARRIVAL_SECONDS:
        patience.wait(partial("it shows {} of {} calls".format, seen, calls))
    return read_spend(api)


def _judge(spend: Spend, bill: Any, ink: Ink, logs: Path) -> int:
    found = differences(spend, bill)
    if not found:
        compared = f"{bill['total']['calls']} calls, {figures_compared(bill)} figures compared"
        print(f"{ink.good(MATCHES)} ({compared})")
        return 0
    print(ink.bad(f"differs from the model server's bill in {len(found)} figures:"))
    for difference in found:
        print(f"  {difference}")
    for agent in AGENTS:
        for line in last_words(logs, agent):
            print(f"  {agent} said: {line}")
    return 1


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(text, flush=True)


def _complain(text: str) -> None:
    print(f"agent-finops demo: {text}", file=sys.stderr, flush=True)

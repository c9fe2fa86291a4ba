"""`agent-finops up`: everything on this machine in one command, until Ctrl-C.

Options, their environment twins, what is printed, and what signals mean; the running itself is `standalone.processes`.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from doors.settings_values import Address
from standalone.addresses import parse_address
from standalone.failures import CannotStart
from standalone.processes import API, METRICS, OTLP_GRPC, OTLP_HTTP, Stack, StackSettings

FORCED = 130
"""Exit status after the second Ctrl-C."""
FORCE_AFTER_SECONDS = 0.5
"""A Ctrl-C this soon after the first is the same one, handed on by a wrapper as well."""
_WATCH_SECONDS = 3600.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopAsked(BaseException):
    """The person or the system asked for an orderly end."""


class ForceAsked(BaseException):
    """The person pressed Ctrl-C again."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `up`; what is not given comes from the environment, then from the contract's defaults."""
    add_database_arguments(parser, environment)
    _add_address(parser, environment, "--otlp-grpc", OTLP_GRPC, "take OTLP/gRPC here")
    _add_address(parser, environment, "--otlp-http", OTLP_HTTP, "take OTLP/HTTP here")
    _add_address(parser, environment, "--api", API, "serve the REST API and the page here")
    _add_address(parser, environment, "--metrics", METRICS, "the collector's own /metrics and /health")
    parser.add_argument(
        "--postgres-port",
        metavar="PORT",
        type=int,
        default=environment.get("FINOPS_POSTGRES_PORT") or None,
        help="the embedded PostgreSQL's port (FINOPS_POSTGRES_PORT; default: chosen once and kept)",
    )
    parser.add_argument(
        "--insecure",
        action="store_true",
        default=environment.get("FINOPS_INSECURE") == "1",
        help="let OTLP doors beyond this machine stand open without tokens or TLS (FINOPS_INSECURE=1)",
    )


def add_database_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """Where the data are: the options that every command about them shares."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=environment.get("FINOPS_DATA_DIR") or ".agent-finops",
        help="database, admin token and logs (FINOPS_DATA_DIR; default: ./.agent-finops)",
    )
    parser.add_argument(
        "--database-url",
        metavar="URL",
        default=environment.get("FINOPS_DATABASE_URL") or None,
        help="a PostgreSQL of your own (FINOPS_DATABASE_URL; default: the embedded one in the data dir)",
    )


def _add_address(
    parser: argparse.ArgumentParser, environment: Mapping[str, str], option: str, default: Address, what: str
) -> None:
    variable = f"FINOPS_{option.strip('-').replace('-', '_').upper()}"

    def address(text: str) -> Address:
        try:
            found = parse_address(text)
        except ValueError as fault:
            raise argparse.ArgumentTypeError(str(fault)) from fault
        if found.port == 0:
            raise argparse.ArgumentTypeError(f"{text!r} names no port")
        return found

    parser.add_argument(
        option,
        metavar="HOST:PORT",
        type=address,
        default=environment.get(variable) or str(default),
        help=f"{what} ({variable}; default: {default})",
    )


def settings_of(arguments: argparse.Namespace) -> StackSettings:
    """The parsed options as the stack wants them."""
    return StackSettings(
        data_dir=arguments.data_dir,
        database_url=arguments.database_url,
        postgres_port=arguments.postgres_port,
        otlp_grpc=arguments.otlp_grpc,
        otlp_http=arguments.otlp_http,
        api=arguments.api,
        metrics=arguments.metrics,
        insecure=arguments.insecure,
    )


def run(arguments: argparse.Namespace) -> int:
    """Run until told to stop; the exit status: 0 after an orderly stop, 1 where something cannot run."""
    stack = Stack(settings_of(arguments), os.environ, say)
    with _stop_signals():
        try:
            return _run(stack)
        except ForceAsked:
            say("stopping at once")
            stack.kill()
            return FORCED
        except BaseException:
            stack.stop()
            raise


def _run(stack: Stack) -> int:
    try:
        stack.start()
        for line in welcome(stack):
            say(line)
        while True:
            stack.watch(_WATCH_SECONDS)
    except StopAsked:
        say("stopping: the collector drains, then the API, then the database (Ctrl-C again: at once)")
        stack.stop()
        say("stopped")
        return 0
    except (CannotStart, OSError) as fault:
        print(f"agent-finops: {fault}", file=sys.stderr, flush=True)
        stack.stop()
        return 1


def welcome(stack: Stack) -> list[str]:
    """What a person needs once everything is ready."""
    return [
        "",
        f"page  {stack.page_url}",
        f"psql  psql '{stack.database_url}'",
        f"read  psql '{stack.dashboards_url}'",
        "",
        "An agent needs these in its environment:",
        *(f"export {name}={value}" for name, value in stack.agent_environment().items()),
        "",
    ]


def say(line: str) -> None:
    """One line for the person at the terminal, at once."""
    print(line, flush=True)


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM, SIGHUP and Ctrl-C raise StopAsked once; another Ctrl-C raises ForceAsked, anything else is ignored."""
    asked_at: float | None = None

    def asked(number: int, _frame: FrameType | None) -> None:
        nonlocal asked_at
        if asked_at is None:
            asked_at = time.monotonic()
            raise StopAsked
        if number == signal.SIGINT and time.monotonic() - asked_at > FORCE_AFTER_SECONDS:
            raise ForceAsked

    heeded = [number for number in _STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # nohup's wish is kept
    previous = {number: signal.signal(number, asked) for number in heeded}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

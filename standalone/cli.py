"""The command `agent-finops`: its sub-commands and their exit status: 0 done, 1 it failed, 2 it was asked wrongly.

A failure is one line on standard error. Each sub-command lives in a module of its own.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version

import shtab

from standalone import (
    audit_command,
    canary,
    doctor,
    erase_command,
    rate_command,
    retention_command,
    suspense_command,
    tokens,
    top,
    up,
    verify,
)
from standalone.database import bring_up_to_date, reachable_database, switch_engine
from standalone.failures import CannotStart


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = command_line(os.environ).parse_args(argv)
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever reads has enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CannotStart, OSError) as fault:
        print(f"agent-finops: {fault}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def command_line(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """The parser of the whole command; defaults are read from the environment given."""
    parser = argparse.ArgumentParser(
        prog="agent-finops", description="What did our agents spend, on what, and who is burning too fast?"
    )
    parser.add_argument("--version", action="version", version=f"agent-finops {_version()}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    up.add_arguments(commands.add_parser("up", help="run everything on this machine, until Ctrl-C"), environment)
    _add_demo(commands.add_parser("demo", help="run example agents against it and compare with the model's own bill"))
    migrate = commands.add_parser("migrate", help="bring a database to this version's schema")
    up.add_database_arguments(migrate, environment)
    migrate.add_argument("--json", action="store_true", help="print JSON")
    migrate.add_argument(
        "--to-timescale", action="store_true", help="then move a plain ledger to TimescaleDB Community"
    )
    tokens.add_arguments(commands.add_parser("token", help="show, create, list and revoke access tokens"), environment)
    doctor.add_arguments(commands.add_parser("doctor", help="send one span and see whether it comes out"), environment)
    canary.add_arguments(
        commands.add_parser("canary", help="one known call a second, checked in every endpoint"), environment
    )
    suspense_command.add_arguments(
        commands.add_parser("suspense", help="what could not be believed, and trying it again"), environment
    )
    verify.add_arguments(commands.add_parser("verify", help="check every figure of a ledger; reads only"), environment)
    audit_command.add_arguments(
        commands.add_parser("audit", help="who changed what, and is the trail whole"), environment
    )
    erase_command.add_arguments(
        commands.add_parser("erase", help="a user's or session's identifier out of the whole ledger"), environment
    )
    retention_command.add_arguments(
        commands.add_parser("retention", help="for how long organisations keep the names of users and sessions"),
        environment,
    )
    rate_command.add_arguments(commands.add_parser("rates", help="import, export and reprice"), environment)
    top.add_arguments(commands.add_parser("top", help="the sessions that burn fastest, live"), environment)
    top.add_costs_arguments(commands.add_parser("costs", help="what was spent, by anything"), environment)
    completion = commands.add_parser("completion", help="print a shell's completion script")
    completion.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)
    versions = commands.add_parser("version", help="print the version")
    versions.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_demo(parser: argparse.ArgumentParser) -> None:
    from standalone.demo import add_arguments

    add_arguments(parser)


def _run(arguments: argparse.Namespace) -> int:
    match arguments.command:
        case "demo":
            from standalone import demo

            return demo.run(arguments)
        case "completion":
            print(shtab.complete(command_line({}), arguments.shell))
            return 0
        case "version":
            return _print_version(as_json=arguments.json)
        case command:
            return _COMMANDS[command](arguments)


def _migrate(arguments: argparse.Namespace) -> int:
    def remark(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, remark) as url:
        applied = bring_up_to_date(url, remark)
        if arguments.to_timescale:
            applied += switch_engine(url, remark)
    if arguments.json:
        print(json.dumps({"applied": applied}))
    else:
        print(f"applied {len(applied)} migrations" if applied else "the database is up to date")
    return 0


def _print_version(*, as_json: bool) -> int:
    found = {"version": _version(), "python": platform.python_version()}
    print(json.dumps(found) if as_json else f"agent-finops {found['version']}")
    return 0


def _version() -> str:
    try:
        return version("agent-finops")
    except PackageNotFoundError:
        return "unknown"


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": up.run,
    "migrate": _migrate,
    "token": tokens.run,
    "audit": audit_command.run,
    "erase": erase_command.run,
    "retention": retention_command.run,
    "rates": rate_command.run,
    "canary": canary.run,
    "suspense": suspense_command.run,
    "doctor": doctor.run,
    "verify": verify.run,
    "top": top.run,
    "costs": top.run_costs,
}

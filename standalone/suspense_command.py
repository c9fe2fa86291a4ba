"""`agent-finops suspense`: what could not be believed, why, and trying it again after a fix.

Exit status: 0 done, 1 something that was tried is refused still.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from uuid import uuid4

from collector.replay import Replayed, replay
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.suspense import Suspense, SuspenseReason
from standalone.database import in_ledger_pool, reachable_database
from standalone.up import add_database_arguments


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `suspense`."""
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    listing = commands.add_parser("list", help="what is in suspense, by reason")
    again = commands.add_parser("replay", help="try again whatever can be tried; what is taken is counted once")
    again.add_argument("--reason", help="only spans refused for this reason (default: all)")
    for command in (listing, again):
        add_database_arguments(command, environment)
        command.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
        if arguments.what == "list":
            print("\n".join(render(in_ledger_pool(url, lambda pool: Suspense(pool).reasons()), json_=arguments.json)))
            return 0
        done = in_ledger_pool(url, lambda pool: _replay(pool, arguments.reason))
    text = (
        f"tried {done.tried}: {done.posted} taken, {done.redelivered} were there already, {done.refused} refused still"
    )
    print(json.dumps(done._asdict()) if arguments.json else text)
    return 1 if done.refused else 0


async def _replay(pool: Pool, reason: str | None) -> Replayed:
    return await replay(Suspense(pool), Ledger(pool, RateStore(), writer=uuid4(), limits=Limits()), reason)


def render(reasons: Sequence[SuspenseReason], *, json_: bool) -> list[str]:
    """What is in suspense, for people or for programs."""
    if json_:
        return [json.dumps([found._asdict() for found in reasons], default=str)]
    if not reasons:
        return ["nothing is in suspense"]
    lines = [f"{'reason':<24} {'spans':>9} {'replayable':>10}  since"]
    lines += [f"{r.reason:<24} {r.spans:>9} {r.replayable:>10}  {r.oldest:%Y-%m-%dT%H:%M:%SZ}" for r in reasons]
    return lines


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

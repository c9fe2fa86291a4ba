"""`agent-finops verify`: is every figure of this ledger what its entries, lines and spans come to?

Reads only. Exit status: 0 everything holds, 1 something does not or could not be found out in time.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Mapping, Sequence

from finops.invariants import ELSEWHERE, Check
from ledger.verify import Sample, verify
from standalone.database import in_ledger, reachable_database
from standalone.up import add_database_arguments


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `verify`."""
    add_database_arguments(parser, environment)
    parser.add_argument(
        "--traces", metavar="N", type=_traces, default=2000, help="count N traces again, or 'all' (default: 2000)"
    )
    parser.add_argument("--seed", type=int, help="which traces those are (default: others every time)")
    parser.add_argument(
        "--seconds", metavar="N", type=float, default=120.0, help="give up after so long (default: 120)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().getrandbits(31)
    sample = Sample(arguments.traces, seed, arguments.seconds)

    def remark(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, remark) as url:
        checks = in_ledger(url, lambda connection: verify(connection, sample, time.monotonic))
    lines = [render_json(checks, seed)] if arguments.json else render(checks, seed)
    print("\n".join(lines))
    return 0 if all(check.holds for check in checks) else 1


def render(checks: Sequence[Check], seed: int) -> list[str]:
    """One line a check, examples below those that fail, and a last line that says it all."""
    lines = []
    for check in checks:
        word = "ok" if check.holds else "FAIL" if check.mismatches else "?"
        found = f"{check.mismatches} of {check.checked}" if check.mismatches else str(check.checked)
        known = f"{check.invariant.numbers:6} {check.invariant.name:14}"
        lines.append(f"{word:4} {known} {found:>12}  {check.invariant.statement}")
        if check.unfinished:
            lines.append(f"     {check.unfinished}")
        lines += [f"     {json.dumps(example, default=str)}" for example in check.examples]
    lines += [f"-    {one.number:6} {'not here':14} {'-':>12}  {one.statement}: {one.why}" for one in ELSEWHERE]
    failed = [check.invariant.name for check in checks if not check.holds]
    lines.append(f"seed {seed}: " + (f"does not hold: {', '.join(failed)}" if failed else "everything holds"))
    return lines


def render_json(checks: Sequence[Check], seed: int) -> str:
    """The same for programs."""
    found = [
        {
            "name": check.invariant.name,
            "numbers": check.invariant.numbers.split(),
            "statement": check.invariant.statement,
            "holds": check.holds,
            "checked": check.checked,
            "mismatches": check.mismatches,
            "unfinished": check.unfinished or None,
            "examples": list(check.examples),
        }
        for check in checks
    ]
    told = {"checks": found, "notHere": [one._asdict() for one in ELSEWHERE]}
    return json.dumps({"holds": all(check.holds for check in checks), "seed": seed, **told}, default=str)


def _traces(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isascii() or not text.isdigit():
        raise argparse.ArgumentTypeError("is not a number of traces or 'all'")
    return int(text)

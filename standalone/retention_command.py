"""`agent-finops retention`: for how many days organisations keep the names of users and sessions.

Exit status: 0 done, 1 there is no such rule.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from finops.expiry import DAYS_MAX, DAYS_MIN, RetentionRule
from ledger.retention_rules import RetentionRules
from standalone.database import in_ledger_pool, reachable_database
from standalone.failures import CannotStart
from standalone.up import add_database_arguments

ACTOR = "agent-finops retention"


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `retention`."""
    commands = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    listing = commands.add_parser("list", help="every organisation that has or had a rule")
    stated = commands.add_parser("set", help="keep an organisation's names for so many days")
    removed = commands.add_parser("remove", help="keep them as long as the rows they are in again")
    for command in (listing, stated, removed):
        add_database_arguments(command, environment)
        command.add_argument("--json", action="store_true", help="print JSON")
    for command in (stated, removed):
        command.add_argument("--org", metavar="NAME", required=True, help="the organisation")
    stated.add_argument("--days", metavar="N", type=_days, required=True, help=f"{DAYS_MIN} to {DAYS_MAX}")


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
        if arguments.what == "list":
            found = in_ledger_pool(url, lambda pool: RetentionRules(pool).all())
        else:
            days = arguments.days if arguments.what == "set" else None
            put = (arguments.org, days, ACTOR, datetime.now(UTC))
            stored = in_ledger_pool(url, lambda pool: RetentionRules(pool).put(*put))
            if stored is None:
                raise CannotStart(f"retention: there is no rule for {arguments.org}")
            found = [stored]
    if arguments.json:
        print(json.dumps([one._asdict() for one in found], default=str))
    for one in () if arguments.json else found:
        print(_line(one))
    return 0


def _line(rule: RetentionRule) -> str:
    days = "no rule" if rule.identifier_days is None else f"{rule.identifier_days} days"
    through = "-" if rule.nameless_through is None else f"{rule.nameless_through:%Y-%m-%dT%H:%M:%SZ}"
    return f"{rule.org_id}  {days}  no names before {through}"


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and DAYS_MIN <= int(text) <= DAYS_MAX):
        raise argparse.ArgumentTypeError(f"must be a whole number from {DAYS_MIN} to {DAYS_MAX}")
    return int(text)


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""`agent-finops audit`: who changed what, and whether the trail is as it was written.

Exit status: 0 the chain of the trail is whole, 1 it is broken.
"""

import argparse
import os
import sys
from collections.abc import Mapping

from finops.audit import AuditRow
from ledger.audit import AuditTrail, first_broken_link
from ledger.pool import Pool
from standalone.database import in_ledger_pool, reachable_database
from standalone.up import add_database_arguments

LIMIT_DEFAULT = 20


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `audit`."""
    add_database_arguments(parser, environment)
    parser.add_argument("--limit", metavar="N", type=int, default=LIMIT_DEFAULT, help="newest rows shown (default: 20)")


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""

    async def look(pool: Pool) -> tuple[list[AuditRow], int | None]:
        rows = await AuditTrail(pool).page(limit=arguments.limit, before=None, orgs=None, actions=None)
        async with pool.connection() as connection:
            return rows, await first_broken_link(connection)

    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
        rows, broken = in_ledger_pool(url, look)
    for row in reversed(rows):
        about = f"{row.seq}  {row.at:%Y-%m-%dT%H:%M:%SZ}  {row.actor or '-'}  {row.action}  {row.subject}"
        print(f"{about}  {row.before or '-'} -> {row.after or '-'}  {row.reason}".rstrip())
    print("the chain is whole" if broken is None else f"the chain is broken at row {broken}")
    return 0 if broken is None else 1


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

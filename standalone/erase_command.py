"""`agent-finops erase`: a user's or session's identifier out of the whole ledger; without --apply only what holds it.

Exit status: 0 done, 1 it could not be done. ``-`` instead of an identifier reads it from standard input, so that it
stands in no shell's history.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from finops.erasure import Erasure, ErasurePreview, ErasureRefused, ErasureRequest, Kind, TooManyErasures
from finops.money import usd
from finops.postings import DEFAULT_ORG
from ledger.erasing import STEPS_AT_ONCE, Erasures
from ledger.pool import Pool
from standalone.database import in_ledger_pool, reachable_database
from standalone.failures import CannotStart
from standalone.up import add_database_arguments

ACTOR = "agent-finops erase"
LISTED_MAX = 100


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `erase`."""
    add_database_arguments(parser, environment)
    parser.add_argument("--org", metavar="NAME", default=DEFAULT_ORG, help="the organisation (default: default)")
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user", metavar="ID", help="the user to erase; -: read it from standard input")
    whose.add_argument("--session", metavar="ID", help="the session to erase; -: read it from standard input")
    whose.add_argument("--list", action="store_true", help="erasures of every organisation, the newest first")
    parser.add_argument("--apply", action="store_true", help="erase it; without this nothing is changed")
    parser.add_argument("--reason", default="", help="kept in the audit trail; never the identifier")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    if arguments.list:
        with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
            _print_all(in_ledger_pool(url, _every), as_json=arguments.json)
        return 0
    request = _request(arguments)
    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
        if arguments.apply:
            done = in_ledger_pool(url, lambda pool: _apply(pool, request, arguments.reason))
            _print_all([done], as_json=arguments.json)
        else:
            _print_preview(in_ledger_pool(url, lambda pool: Erasures(pool).preview(request)), arguments.json)
    return 0


def _request(arguments: argparse.Namespace) -> ErasureRequest:
    kind, given = (Kind.USER, arguments.user) if arguments.user is not None else (Kind.SESSION, arguments.session)
    identifier = sys.stdin.readline().rstrip("\r\n") if given == "-" else given
    if not identifier:
        raise CannotStart("erase: the identifier is empty")
    if identifier in arguments.reason:
        raise CannotStart("erase: --reason must not hold the identifier, reasons are kept for good")
    return ErasureRequest(arguments.org, kind, identifier)


async def _every(pool: Pool) -> list[Erasure]:
    return await Erasures(pool).page(limit=LISTED_MAX, before=None, orgs=None)


async def _apply(pool: Pool, request: ErasureRequest, reason: str) -> Erasure:
    erasures = Erasures(pool)
    try:
        erasure_id = await erasures.start(request, datetime.now(UTC), actor=ACTOR, reason=reason)
    except ErasureRefused as refused:
        raise CannotStart(f"erase: the session {refused}") from None
    except TooManyErasures as many:
        raise CannotStart(f"erase: {many} erasures are not finished, try again later") from None
    _remark(f"erasure {erasure_id}; cut off, it goes on with the same command, or by itself where a query API runs")
    while True:
        await erasures.advance(erasure_id, lambda: datetime.now(UTC), STEPS_AT_ONCE)
        found = await erasures.one(UUID(erasure_id))
        assert found is not None
        _remark(f"{found.phase}: {_counted(found)}")
        if found.finished_at is not None:
            return found


def _counted(erasure: Erasure) -> str:
    return ", ".join(f"{number} {name}" for name, number in erasure.counts.items() if number) or "nothing yet"


def _print_preview(found: ErasurePreview, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"applied": False, **_told(found)}, default=str))
        return
    for name, value in _told(found).items():
        print(f"{name:<14} {'-' if value is None else value}")
    print("a preview: nothing was changed; spans and refused spans are looked through with --apply")


def _told(found: ErasurePreview) -> dict[str, object]:
    cost = f"{usd(found.cost_pico):f}"
    return {name: value for name, value in found._asdict().items() if name != "cost_pico"} | {"costUsd": cost}


def _print_all(erasures: list[Erasure], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([one._asdict() for one in erasures], default=str))
        return
    for one in erasures:
        state = "running" if one.finished_at is None else f"{one.finished_at:%Y-%m-%dT%H:%M:%SZ}"
        print(f"{one.erasure_id}  {one.org_id}  {one.kind}  {one.pseudonym}  {state}  {_counted(one)}")


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""`agent-finops token`: the admin token that `up` made, and tokens for agents, dashboards and scrapers.

What goes to standard output can be used as it is (`$(agent-finops token show)`); remarks go to standard error.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from finops.access import Scope
from ledger.pool import Connection
from ledger.tokens import RevokedToken, TokenRow, register, revoke, tokens
from standalone.admin_token import new_token, read_token, token_file
from standalone.database import bring_up_to_date, in_ledger, reachable_database
from standalone.failures import CannotStart
from standalone.table_text import ink_of, table
from standalone.up import add_database_arguments

SECRET_CHARACTERS_MIN: Final = 32
"""Of a token that is given instead of made; shorter ones could be guessed."""


def add_arguments(parser: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """The options of `token` and its four commands."""
    commands = parser.add_subparsers(dest="token_command", metavar="COMMAND", required=True)
    show = commands.add_parser("show", help="print the admin token of this data dir")
    create = commands.add_parser("create", help="make a token and print it: this once, it is stored as a hash only")
    create.add_argument("name", help="what lists and the audit trail call it; a token of that name is replaced")
    create.add_argument(
        "--scope",
        action="append",
        choices=[scope.value for scope in Scope],
        help="what it may do, repeatable (default: ingest)",
    )
    create.add_argument("--org", metavar="ORG", help="bind it to one organisation: it sends and sees nothing else")
    create.add_argument("--days", metavar="N", type=_days, help="valid for N days (default: until revoked)")
    create.add_argument(
        "--secret-file",
        metavar="FILE",
        type=Path,
        help="make the token in this file valid, as a mounted Secret has it, instead of a new one; nothing is printed",
    )
    listing = commands.add_parser("list", help="every token ever made, without the tokens")
    ending = commands.add_parser("revoke", help="end a token")
    ending.add_argument("name")
    for command in (show, create, listing, ending):
        add_database_arguments(command, environment)
    for command in (create, listing):
        command.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """The exit status. Raises CannotStart."""
    if arguments.token_command == "show":
        return _show(arguments)
    with reachable_database(arguments.database_url, arguments.data_dir, os.environ, _remark) as url:
        if arguments.database_url is None:
            bring_up_to_date(url, _remark)
        if arguments.token_command == "create":
            return _create(arguments, url)
        if arguments.token_command == "revoke":
            return _revoke(arguments, url)
        return _list(arguments, url)


def _show(arguments: argparse.Namespace) -> int:
    path = token_file(arguments.data_dir, os.environ)
    token = read_token(path)
    if token is None:
        raise CannotStart(f"there is no admin token in {path}: `agent-finops up` makes it on its first start")
    print(token)
    return 0


def _create(arguments: argparse.Namespace, url: str) -> int:
    secret = _given(arguments.secret_file) if arguments.secret_file else new_token()
    scopes = [Scope(value) for value in arguments.scope or [Scope.INGEST.value]]
    expires_at = datetime.now(UTC) + timedelta(days=arguments.days) if arguments.days else None

    async def create(connection: Connection) -> bool:
        replaced = any(row.name == arguments.name and row.revoked_at is None for row in await tokens(connection))
        await register(
            connection,
            name=arguments.name,
            secret=secret,
            scopes=scopes,
            org_id=arguments.org,
            expires_at=expires_at,
        )
        return replaced

    try:
        replaced = in_ledger(url, create)
    except RevokedToken as fault:
        raise CannotStart(
            f"the token in {arguments.secret_file} was revoked and never comes back: make another"
        ) from fault
    if arguments.secret_file:
        _remark(f"the token in {arguments.secret_file} is valid as {arguments.name}")
        return 0
    if replaced:
        _remark(f"it replaces the token that was called {arguments.name}")
    if Scope.INGEST in scopes:
        _remark("spans are taken with a token only from now on; an agent sends it with")
        _remark(f"export OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{'<token>' if arguments.json else secret}")
    named = {"name": arguments.name, "token": secret, "scopes": sorted(scopes), "orgId": arguments.org}
    print(json.dumps({**named, "expiresAt": _instant(expires_at)}) if arguments.json else secret)
    return 0


def _given(path: Path) -> str:
    """The token in a file. Raises CannotStart where it cannot be read or could be guessed."""
    secret = read_token(path)
    if secret is None:
        raise CannotStart(f"there is no token in {path}")
    if len(secret) < SECRET_CHARACTERS_MIN or not secret.isascii() or not secret.isprintable() or " " in secret:
        raise CannotStart(f"the token in {path} must be {SECRET_CHARACTERS_MIN} printable ASCII characters or more")
    return secret


def _revoke(arguments: argparse.Namespace, url: str) -> int:
    if not in_ledger(url, lambda connection: revoke(connection, arguments.name)):
        raise CannotStart(f"there is no valid token called {arguments.name}")
    _remark(f"revoked {arguments.name}; services may honour it for some seconds more")
    return 0


def _list(arguments: argparse.Namespace, url: str) -> int:
    found = in_ledger(url, tokens)
    now = datetime.now(UTC)
    if arguments.json:
        print(json.dumps([_as_json(row, now) for row in found], indent=2))
        return 0
    headings = ("name", "state", "scopes", "org", "created", "last used")
    rows = [_as_words(row, now) for row in found]
    print(table("Tokens", headings, rows, ink_of(sys.stdout, os.environ), text_columns=range(len(headings))))
    return 0


def _as_json(row: TokenRow, now: datetime) -> dict[str, object]:
    return {
        "name": row.name,
        "state": _state(row, now),
        "scopes": list(row.scopes),
        "orgId": row.org_id,
        "createdAt": _instant(row.created_at),
        "expiresAt": _instant(row.expires_at),
        "revokedAt": _instant(row.revoked_at),
        "lastUsedAt": _instant(row.last_used_at),
    }


def _as_words(row: TokenRow, now: datetime) -> Sequence[str]:
    times = [_instant(row.created_at) or "", _instant(row.last_used_at) or "never"]
    return row.name, _state(row, now), ",".join(row.scopes), row.org_id or "all", *times


def _state(row: TokenRow, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at is not None and row.expires_at <= now else "valid"


def _instant(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 36500:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return int(text)


def _remark(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

"""Access tokens: registered, listed, revoked, looked up by their hash. Making a random one is left to the caller.

Each change is one transaction with its row in the audit trail, which knows names, scopes, organisations and ends, and
nothing that a token or its hash could be learnt from.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

from psycopg.rows import args_row

from finops.access import Grant, Scope, token_digest
from finops.audit import TOKEN_PUT, TOKEN_REVOKED
from ledger import audit
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

BY_HAND = "agent-finops token"
"""Who changes tokens: nobody but the command can."""


class TokenRow(NamedTuple):
    """One registered token, as a list shows it. The hash stays in the database."""

    id: int
    name: str
    scopes: Sequence[str]
    org_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class _Stated(NamedTuple):
    """What a token allows, until when; and the moment of the change."""

    name: str
    scopes: Sequence[str]
    org_id: str | None
    expires_at: datetime | None
    at: datetime


async def register(
    connection: Connection,
    *,
    name: str,
    secret: str,
    scopes: Iterable[Scope],
    org_id: str | None = None,
    expires_at: datetime | None = None,
    by: str = BY_HAND,
) -> None:
    """Makes ``secret`` valid under ``name``; a different token of that name is revoked in the same transaction.

    Registering the same secret again changes its name, scopes, organisation and end, and is no change where they are so
    already. Raises ``RevokedToken`` where the secret has been revoked before: a revoked token never comes back.
    """
    digest = token_digest(secret)
    values = {
        "name": name,
        "sha256": digest,
        "scopes": sorted(str(scope) for scope in scopes),
        "org_id": org_id,
        "expires_at": expires_at,
    }
    async with connection.transaction():
        retired = await _stated(connection, "retire_token_name", {"name": name, "sha256": digest})
        before = await _stated(connection, "hold_token", {"sha256": digest})
        after = await _stated(connection, "register_token", values)
        if after is None:
            raise RevokedToken(name)
        if retired is not None:
            await _record(connection, TOKEN_REVOKED, retired, None, by)
        if before != after:
            await _record(connection, TOKEN_PUT, before, after, by)


class RevokedToken(ValueError):
    """This secret was revoked and cannot be registered again; the message is the token's name."""


async def tokens(connection: Connection) -> list[TokenRow]:
    """Every token ever registered, oldest first."""
    async with connection.cursor(row_factory=args_row(TokenRow)) as cursor:
        return await (await cursor.execute(query("list_tokens"))).fetchall()


async def revoke(connection: Connection, name: str, by: str = BY_HAND) -> bool:
    """Ends the token of this name; False where there is none. Services may honour it for three seconds more."""
    async with connection.transaction():
        ended = await _stated(connection, "revoke_token", {"name": name})
        if ended is not None:
            await _record(connection, TOKEN_REVOKED, ended, None, by)
    return ended is not None


async def lookup(connection: Connection, digest: bytes) -> Grant | None:
    """What the token with this SHA-256 allows now; None where it is unknown, expired or revoked."""
    row = await (await connection.execute(query("lookup_token"), {"sha256": digest})).fetchone()
    if row is None:
        return None
    name, scopes, org_id = cast("tuple[str, list[str], str | None]", row)
    return Grant(name, frozenset(scopes), org_id)


async def any_with(connection: Connection, scopes: Sequence[Scope]) -> bool:
    """Whether a valid token with one of ``scopes`` exists."""
    values = {"scopes": [str(scope) for scope in scopes]}
    row = await (await connection.execute(query("any_token_with_scope"), values)).fetchone()
    return bool(row and row[0])


class TokenStore:
    """Looks tokens up through a pool, and remembers when they were last used."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def grant(self, digest: bytes) -> Grant | None:
        """What the token with this SHA-256 allows now, or None."""
        async with reaching(self._pool) as connection:
            found = await lookup(connection, digest)
            if found is not None:
                await connection.execute(query("touch_token"), {"sha256": digest})
            return found


async def _stated(connection: Connection, statement: str, values: Mapping[str, object]) -> _Stated | None:
    row: Any = await (await connection.execute(query(statement), values)).fetchone()
    return None if row is None else _Stated(*row)


async def _record(
    connection: Connection, action: str, before: _Stated | None, after: _Stated | None, actor: str
) -> None:
    about = after or before
    assert about is not None
    told = [None if token is None else _told(token) for token in (before, after)]
    named = {"actor": actor, "action": action, "subject": about.name, "org_id": about.org_id or ""}
    await audit.record(connection, at=about.at, before=told[0], after=told[1], **named)


def _told(token: _Stated) -> dict[str, object]:
    """What the audit trail keeps of it."""
    scopes = sorted(token.scopes)
    return {"name": token.name, "scopes": scopes, "orgId": token.org_id, "expiresAt": token.expires_at}

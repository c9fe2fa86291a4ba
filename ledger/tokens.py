"""Access tokens: registered, listed, revoked, looked up by their hash. Making a random one is left to the caller."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple, cast

from psycopg.rows import args_row

from finops.access import Grant, Scope, token_digest
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query


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


async def register(
    connection: Connection,
    *,
    name: str,
    secret: str,
    scopes: Iterable[Scope],
    org_id: str | None = None,
    expires_at: datetime | None = None,
) -> None:
    """Makes ``secret`` valid under ``name``; a different token of that name is revoked in the same transaction.

    Registering the same secret again changes its scopes and nothing else. Raises ``RevokedToken`` where the secret has
    been revoked before: a revoked token never comes back.
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
        await connection.execute(query("retire_token_name"), {"name": name, "sha256": digest})
        row = await (await connection.execute(query("register_token"), values)).fetchone()
        if row is None:
            raise RevokedToken(name)


class RevokedToken(ValueError):
    """This secret was revoked and cannot be registered again; the message is the token's name."""


async def tokens(connection: Connection) -> list[TokenRow]:
    """Every token ever registered, oldest first."""
    async with connection.cursor(row_factory=args_row(TokenRow)) as cursor:
        return await (await cursor.execute(query("list_tokens"))).fetchall()


async def revoke(connection: Connection, name: str) -> bool:
    """Ends the token of this name; False where there is none. Services may honour it for three seconds more."""
    return (await connection.execute(query("revoke_token"), {"name": name})).rowcount > 0


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

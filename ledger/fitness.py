"""Whether this code can serve this database at all, asked once at start: writable, allowed, and of the same schema.

A service that started all the same would fail at the first span, or answer from tables it does not know.
"""

from collections.abc import Mapping

from psycopg import AsyncConnection

from ledger.engine import Engine, EngineUnusable, detect, require_writable
from ledger.migrate import MigrationRefused, pending
from sql import query

Connection = AsyncConnection[tuple[object, ...]]
Needs = Mapping[str, str]
"""Relation to the privileges needed on it, with commas between."""
WRITER: Needs = {"append_heads": "SELECT, UPDATE", "entries": "SELECT, INSERT", "spans": "SELECT, INSERT, UPDATE"}
"""What a collector cannot do without."""
READER: Needs = {"usage_1d": "SELECT", "usage_15m": "SELECT", "usage_blocks": "SELECT", "entries": "SELECT"}
"""What a query API cannot do without."""


async def require_fit(connection: Connection, needs: Needs) -> Engine:
    """The engine of a database that can be served.

    Raises ``EngineUnusable`` where server or role cannot serve, ``MigrationRefused`` where the schema is older
    or newer than this code; each says what to do.
    """
    role, has_ledger = await require_writable(connection)
    engine = await detect(connection)
    if not has_ledger:
        raise MigrationRefused("the database has no schema of this version yet: run `agent-finops migrate`")
    await _require_rights(connection, role, {"schema_migrations": "SELECT"})
    if lacking := await pending(connection, engine):
        raise MigrationRefused(
            f"the database has no schema of this version yet ({lacking[0].file_name} is missing): "
            "run `agent-finops migrate`"
        )
    await _require_rights(connection, role, needs)
    return engine


async def require_bound(connection: Connection, fit: str, *, allow_superuser: bool = False) -> None:
    """Raises ``EngineUnusable`` where neither walls nor grants bind the role; ``fit`` is whose member it should be."""
    row = await (await connection.execute(query("engine_boundless"))).fetchone()
    assert row is not None
    role, superuser, bypasses = row
    if allow_superuser or not (superuser or bypasses):
        return
    why = "is a superuser" if superuser else "has BYPASSRLS"
    raise EngineUnusable(
        f"role {role} {why}: no wall between organisations binds it. Connect as a member of {fit} (docs/access.md), "
        "or set FINOPS_ALLOW_SUPERUSER=1 for a trial"
    )


async def _require_rights(connection: Connection, role: str, needs: Needs) -> None:
    pairs = [(relation, word) for relation, words in needs.items() for word in words.split(", ")]
    values = {"relations": [relation for relation, _ in pairs], "privileges": [word for _, word in pairs]}
    rows = await (await connection.execute(query("engine_privileges"), values)).fetchall()
    if rows:
        missing = ", ".join(f"{privilege} on {relation}" for relation, privilege in rows)
        raise EngineUnusable(f"role {role} lacks {missing}: grant it, or connect as another role")

"""Who may see and do what in the database: walls between organisations and grants to roles, beside the migrations.

Their texts say how things are, not how they change, so they are applied whole whenever they or the roles have changed.
The walls always stand; grants are given where the roles exist, which only a superuser or a role that may create roles
can see to.
"""

import hashlib
from collections.abc import Mapping

from psycopg import AsyncConnection

from sql import query, rights

Connection = AsyncConnection[tuple[object, ...]]
ROLES = ("finops_collector", "finops_api", "finops_jobs", "finops_reader")
"""The collector, the query API, the jobs of retention, and dashboards. Members of them may do the same."""


async def make_roles(url: str, passwords: Mapping[str, str]) -> None:
    """Makes the roles on the server of ``url``, and lets those log in that a password is given for.

    ``url`` belongs to a superuser. Raises psycopg's errors.
    """
    async with await AsyncConnection.connect(url) as connection:
        await connection.execute(query("rights_roles"))
        for role, password in passwords.items():
            await connection.execute(query("rights_login_told"), {"role": role, "password": password})
            await connection.execute(query("rights_login"))


async def apply_rights(connection: Connection, engine_word: str) -> bool:
    """Puts walls and grants as the texts say; False where they were so already. All or nothing.

    The migrations are applied, and the connection holds their lock.
    """
    async with connection.transaction():
        await connection.execute(query("rights_table"))
        await connection.execute(query("rights_roles"))
        row = await (await connection.execute(query("rights_applied"))).fetchone()
        assert row is not None
        before, has_roles = row
        texts = [text for name, text in rights(engine_word) if has_roles or "grants" not in name]
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        if digest == before:
            return False
        await connection.execute("set local lock_timeout = '10s'")
        for text in texts:
            await connection.execute(text)
        await connection.execute(query("rights_record"), {"sha256": digest})
    return True


async def take_down_walls(connection: Connection) -> None:
    """Inside the open transaction of a migration that they are in the way of; they are missed until applied again."""
    await connection.execute(query("rights_table"))
    await connection.execute(query("rights_take_down"))
    await connection.execute(query("rights_forget"))

"""Spans in suspense as they are listed, read again and settled. What their bytes mean is the collector's."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.mapping import ns_of
from ledger.pool import Pool
from sql import query


class Suspended(NamedTuple):
    """One span that can be tried again."""

    id: int
    arrived_ns: int
    """Unix nanoseconds."""
    tenant: str
    reason: str
    form: str
    body: bytes


class SuspenseReason(NamedTuple):
    """What is in suspense for one reason."""

    reason: str
    spans: int
    replayable: int
    oldest: datetime


class Suspense:
    """The table over one pool."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def reasons(self) -> list[SuspenseReason]:
        """What waits, by reason, the most frequent first."""
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(query("suspense_reasons"))).fetchall()
        return [SuspenseReason(*row) for row in rows]  # type: ignore[arg-type]

    async def page(self, after: int, limit: int, reason: str | None = None) -> list[Suspended]:
        """The next to try again, those with an id above ``after``."""
        values = {"after": after, "limit": limit, "reason": reason}
        async with self._pool.connection() as connection:
            rows = await (await connection.execute(query("suspense_page"), values, binary=True)).fetchall()
        return [_suspended(row) for row in rows]

    async def settle(self, ids: Sequence[int]) -> None:
        """They are in the ledger now."""
        async with self._pool.connection() as connection:
            await connection.execute(query("suspense_settle"), {"ids": list(ids)})


def _suspended(row: tuple[object, ...]) -> Suspended:
    number, arrived_at, tenant, reason, form, body = row
    assert isinstance(arrived_at, datetime)
    return Suspended(int(str(number)), ns_of(arrived_at), str(tenant), str(reason), str(form), bytes(body))  # type: ignore[call-overload]

"""How far erasures and retention of names have come, in two numbers."""

from datetime import datetime
from typing import Any

from finops.expiry import PrivacyState
from ledger.pool import Pool
from ledger.reading import reaching
from sql import query


class PrivacyStates:
    """Over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self, now: datetime) -> PrivacyState:
        """What whoever is spoken for may see of it."""
        async with reaching(self._pool) as connection:
            row: Any = await (await connection.execute(query("privacy_state"), {"now": now})).fetchone()
        return PrivacyState(int(row[0]), max(0, int(row[1])))

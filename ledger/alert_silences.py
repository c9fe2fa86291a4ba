"""When nobody is told of which alerts. Each change is one committed transaction with a row of the audit trail."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from finops.alert_delivery import SILENCES_MAX, TooMany
from finops.alert_listing import ListedSilence
from finops.alerts import Silence
from finops.audit import ALERT_SILENCE_ENDED, ALERT_SILENCE_PUT
from ledger import audit
from ledger.alert_rows import silence_of
from ledger.audit import json_text
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query


class AlertSilences:
    """Silences over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def current(self, orgs: Sequence[str] | None, now: datetime) -> list[ListedSilence]:
        """Those that are not over, the first to end first."""
        values = {"now": now, "orgs": None if orgs is None else list(orgs), "limit": SILENCES_MAX}
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("alert_silences_now"), values)).fetchall()
        return [silence_of(row) for row in rows]

    async def create(self, wanted: Silence, comment: str, by: str, at: datetime) -> ListedSilence:
        """A new one. Raises ``TooMany``."""
        values = {**wanted._asdict(), "matchers": json_text(wanted.matchers), "comment": comment, "by": by, "at": at}
        async with reaching(self._pool) as connection, connection.transaction():
            row = await (await connection.execute(query("alert_silences_count"), {"now": at})).fetchone()
            if row is None or int(str(row[0])) >= SILENCES_MAX:
                raise TooMany(f"{SILENCES_MAX} silences hold already")
            row = await (await connection.execute(query("alert_silence_create"), values)).fetchone()
            assert row is not None
            made = silence_of(row)
            await _record(connection, ALERT_SILENCE_PUT, made, by, at)
        return made

    async def end(self, number: str, orgs: Sequence[str] | None, by: str, now: datetime) -> bool:
        """Ends it now; False where none holds. What it held back is told, unless another silence covers it."""
        values = {"silence": number, "orgs": None if orgs is None else list(orgs), "now": now}
        async with reaching(self._pool) as connection, connection.transaction():
            row = await (await connection.execute(query("alert_silence_end"), values)).fetchone()
            if row is None:
                return False
            await connection.execute(query("alert_unhold"), {"now": now})
            await _record(connection, ALERT_SILENCE_ENDED, silence_of(row), by, now)
        return True


async def _record(connection: Connection, action: str, about: ListedSilence, actor: str, at: datetime) -> None:
    tree = {
        "matchers": about.silence.matchers,
        "startsAt": about.silence.starts_at,
        "endsAt": about.silence.ends_at,
        "comment": about.comment,
    }
    await audit.record(
        connection,
        at=at,
        actor=actor,
        action=action,
        subject=about.silence_id,
        org_id=about.silence.org_id,
        before=tree if action == ALERT_SILENCE_ENDED else None,
        after=None if action == ALERT_SILENCE_ENDED else tree,
    )

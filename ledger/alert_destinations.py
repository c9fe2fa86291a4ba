"""Who is told of alerts. Each change is one committed transaction with a row of the audit trail, without secrets."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation

from finops.alert_delivery import (
    DESTINATIONS_MAX,
    SECRET_BEFORE_HOLDS,
    Attempt,
    Destination,
    NameTaken,
    TooMany,
    Verdict,
    shown_address,
)
from finops.alert_listing import ListedDestination
from finops.audit import (
    ALERT_DESTINATION_DELETED,
    ALERT_DESTINATION_PUT,
    ALERT_DESTINATION_RETRIED,
    ALERT_DESTINATION_TESTED,
)
from ledger import audit
from ledger.alert_rows import destination_of
from ledger.audit import json_text
from ledger.conditions import always
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

_COLUMNS = 12


class AlertDestinations:
    """Destinations over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def all(self, orgs: Sequence[str] | None, now: datetime) -> list[ListedDestination]:
        """Every destination of these organisations, '' among them or not; None: of all."""
        async with reaching(self._pool) as connection:
            return await _listed(connection, None, orgs, now)

    async def one(self, number: str, orgs: Sequence[str] | None, now: datetime) -> ListedDestination | None:
        """One of them by its number, which is a UUID."""
        async with reaching(self._pool) as connection:
            return next(iter(await _listed(connection, number, orgs, now)), None)

    async def create(self, wanted: Destination, by: str, at: datetime) -> ListedDestination:
        """A new one; ``destination_id`` is chosen here. Raises ``NameTaken`` or ``TooMany``."""
        async with reaching(self._pool) as connection, connection.transaction():
            values = {"org_id": wanted.org_id}
            row = await (await connection.execute(query("alert_destinations_count"), values)).fetchone()
            if row is None or int(str(row[0])) >= DESTINATIONS_MAX:
                raise TooMany(f"there are {DESTINATIONS_MAX} destinations of this organisation already")
            row = await (
                await connection.execute(query("alert_destination_create"), _values(wanted, by, at))
            ).fetchone()
            if row is None:
                raise NameTaken
            return await _changed(connection, str(row[0]), None, by, at)

    async def replace(
        self, wanted: Destination, by: str, at: datetime, holds: Callable[[ListedDestination], None] = always
    ) -> ListedDestination | None:
        """Puts another in the place of the one with its number; None where there is none. Raises ``NameTaken``.

        ``holds`` is asked of the one before it.
        """
        number = wanted.destination_id
        try:
            async with reaching(self._pool) as connection, connection.transaction():
                before = await _held(connection, number, None, at)
                if before is None:
                    return None
                holds(before)
                values = {**_values(wanted, by, at), "destination": number, "before_until": at + SECRET_BEFORE_HOLDS}
                await connection.execute(query("alert_destination_replace"), values)
                if not wanted.enabled:
                    await _forsake(connection, number, "the destination was switched off")
                return await _changed(connection, number, before.destination, by, at)
        except UniqueViolation:
            raise NameTaken from None

    async def delete(
        self,
        number: str,
        orgs: Sequence[str] | None,
        by: str,
        at: datetime,
        holds: Callable[[ListedDestination], None] = always,
    ) -> bool:
        """Takes it away; False where there is none."""
        async with reaching(self._pool) as connection, connection.transaction():
            before = await _held(connection, number, orgs, at)
            if before is None:
                return False
            holds(before)
            await connection.execute(query("alert_destination_delete"), {"destination": number, "by": by, "at": at})
            await _forsake(connection, number, "the destination was deleted")
            await _record(connection, ALERT_DESTINATION_DELETED, before.destination, None, by, at)
            return True

    async def retry(self, about: Destination, by: str, at: datetime) -> int:
        """Puts what was given up back into the outbox; how many deliveries."""
        async with reaching(self._pool) as connection, connection.transaction():
            values = {"destination": about.destination_id, "at": at}
            row = await (await connection.execute(query("alert_destination_retry"), values)).fetchone()
            count = 0 if row is None else int(str(row[0]))
            await _record_use(connection, ALERT_DESTINATION_RETRIED, about, {"deliveries": count}, by, at)
        return count

    async def note_test(self, about: Destination, key: str, attempt: Attempt, by: str, at: datetime) -> None:
        """Notes for the history that it was tried out."""
        sent = attempt.verdict is Verdict.SENT
        said = {"sent": sent, "status": attempt.status, "fault": attempt.fault}
        values = {"destination": about.destination_id, "key": key, **said, "at": at}
        async with reaching(self._pool) as connection, connection.transaction():
            await connection.execute(query("alert_test"), values)
            tree = {"delivered": sent, "status": attempt.status}
            await _record_use(connection, ALERT_DESTINATION_TESTED, about, tree, by, at)


async def _listed(
    connection: Connection, number: str | None, orgs: Sequence[str] | None, now: datetime
) -> list[ListedDestination]:
    values = {"destination": number, "orgs": None if orgs is None else list(orgs), "now": now}
    rows: list[Any] = await (await connection.execute(query("alert_destinations"), values)).fetchall()
    return [ListedDestination(destination_of(row[:_COLUMNS]), *row[_COLUMNS:]) for row in rows]


async def _held(
    connection: Connection, number: str, orgs: Sequence[str] | None, now: datetime
) -> ListedDestination | None:
    await connection.execute(query("alert_destination_hold"), {"destination": number})
    return next(iter(await _listed(connection, number, orgs, now)), None)


async def _changed(
    connection: Connection, number: str, before: Destination | None, by: str, at: datetime
) -> ListedDestination:
    (after,) = await _listed(connection, number, None, at)
    await _record(connection, ALERT_DESTINATION_PUT, before, after.destination, by, at)
    return after


async def _forsake(connection: Connection, number: str, why: str) -> None:
    await connection.execute(query("alert_destination_forsake"), {"destination": number, "why": why})


async def _record(
    connection: Connection,
    action: str,
    before: Destination | None,
    after: Destination | None,
    actor: str,
    at: datetime,
) -> None:
    about = before or after
    assert about is not None
    replaced = bool(before and after and (before.secrets[:1], before.url) != (after.secrets[:1], after.url))
    told = None if after is None else {**_open(after), "secretReplaced": replaced}
    opened = None if before is None else _open(before)
    await audit.record(connection, at=at, before=opened, after=told, **_named(action, about, actor))


async def _record_use(
    connection: Connection, action: str, about: Destination, after: object, actor: str, at: datetime
) -> None:
    await audit.record(connection, at=at, after=after, **_named(action, about, actor))


def _named(action: str, about: Destination, actor: str) -> dict[str, str]:
    subject = f"{about.name} ({about.destination_id})"
    return {"actor": actor, "action": action, "subject": subject, "org_id": about.org_id}


def _open(destination: Destination) -> dict[str, object]:
    """What may be shown."""
    return {
        "name": destination.name,
        "kind": destination.channel,
        "target": shown_address(destination.url),
        "matchers": destination.matchers,
        "renotify": destination.renotify,
        "renotifySeconds": destination.renotify_seconds,
        "sendResolved": destination.send_resolved,
        "enabled": destination.enabled,
    }


def _values(wanted: Destination, by: str, at: datetime) -> dict[str, object]:
    return {
        "org_id": wanted.org_id,
        "name": wanted.name,
        "kind": str(wanted.channel),
        "url": wanted.url,
        "secret": next(iter(wanted.secrets), ""),
        "matchers": json_text(wanted.matchers),
        "renotify": str(wanted.renotify),
        "renotify_seconds": wanted.renotify_seconds,
        "send_resolved": wanted.send_resolved,
        "enabled": wanted.enabled,
        "by": by,
        "at": at,
    }

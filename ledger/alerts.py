"""Alerts in the database: firing and resolving write what destinations have to be told, in the caller's transaction.

If the caller's change is committed, everybody will be told of it, and if it is not, nobody is. This is the outbox;
sending is left to others.
"""

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from finops.alerts import Alert, Severity, fits
from ledger.audit import json_text
from ledger.pool import Connection
from sql import query

ESCALATES = ("onEscalation", "interval")
"""Ways of telling again in which a worse severity is news."""


class Fired(NamedTuple):
    """What firing did."""

    alert_id: int
    opened: bool
    """False: it fired already."""
    told: int
    """Destinations that will be told something now."""


async def fire(connection: Connection, alert: Alert, at: datetime) -> Fired:
    """Opens the alert and tells the destinations it fits; a firing one is brought up to date and told to nobody again.

    A firing alert whose severity rose is told once more to destinations that want that. Call it inside a transaction.
    """
    values = {**_columns(alert), "at": at}
    while True:
        row = await (await connection.execute(query("alert_fire"), values)).fetchone()
        if row is not None:
            alert_id = int(str(row[0]))
            told = [listener for listener, _ in await _listeners(connection, alert)]
            if told:
                await _tell(connection, alert_id, "fired", told, at)
            return Fired(alert_id, True, len(told))
        row = await (await connection.execute(query("alert_firing"), values)).fetchone()
        if row is not None:  # None: it was resolved between the two statements
            before = Severity(str(row[1]))
            return await _update(connection, int(str(row[0])), before, alert, at)


async def resolve(connection: Connection, key: str, at: datetime) -> bool:
    """Closes the alert that fires under ``key`` and tells whoever is told of it; False where none fires.

    Call it inside a transaction.
    """
    row = await (await connection.execute(query("alert_resolve"), {"key": key, "at": at})).fetchone()
    if row is None:
        return False
    values = {"alert_id": row[0], "at": at}
    await connection.execute(query("alert_settle"), values)
    await connection.execute(query("alert_tell_resolved"), values)
    return True


async def _update(connection: Connection, alert_id: int, before: Severity, alert: Alert, at: datetime) -> Fired:
    await connection.execute(query("alert_update"), {**_columns(alert), "alert_id": alert_id, "at": at})
    if alert.severity.rank <= before.rank:
        return Fired(alert_id, False, 0)
    listeners = [one for one, renotify in await _listeners(connection, alert) if renotify in ESCALATES]
    if listeners:
        await connection.execute(query("alert_supersede"), {"alert_id": alert_id, "destinations": listeners})
        await _tell(connection, alert_id, "escalated", listeners, at, before)
    return Fired(alert_id, False, len(listeners))


async def _listeners(connection: Connection, alert: Alert) -> list[tuple[UUID, str]]:
    """The destinations that the alert fits, and how each is told again."""
    rows: list[Any] = await (await connection.execute(query("alert_listeners"), {"org_id": alert.org_id})).fetchall()
    return [(destination, renotify) for destination, matchers, renotify in rows if fits(matchers, alert)]


async def _tell(
    connection: Connection, alert_id: int, event: str, told: list[UUID], at: datetime, before: Severity | None = None
) -> None:
    values = {"alert_id": alert_id, "event": event, "destinations": told, "at": at, "severity_before": before or ""}
    await connection.execute(query("alert_tell"), values)


def _columns(alert: Alert) -> dict[str, object]:
    return {
        "key": alert.key,
        "org_id": alert.org_id,
        "agent_id": alert.agent_id,
        "kind": alert.kind,
        "severity": str(alert.severity),
        "title": alert.title,
        "summary": alert.summary,
        "labels": json_text(alert.labels),
        "annotations": json_text(alert.annotations),
        "figures": json_text(alert.figures),
    }

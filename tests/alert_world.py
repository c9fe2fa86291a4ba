"""Alerts, destinations and their outbox, for the tests."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from finops.alerts import ANOMALY, Alert, Severity, alert_key
from ledger.alerts import Fired, fire, resolve
from ledger.pool import Pool

ALERT_TABLES = ("alerts", "alert_destinations", "alert_silences")
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def runaway(session: str = "s1", severity: Severity = Severity.WARNING, org: str = "acme", **changes: Any) -> Alert:
    """A session that burns too fast."""
    told: dict[str, Any] = {
        "key": alert_key(ANOMALY, org, session),
        "kind": ANOMALY,
        "severity": severity,
        "org_id": org,
        "agent_id": "clerk",
        "title": "clerk burns too fast",
        "summary": "Session burns 4.2 USD an hour, 8.4 times its baseline of 0.5.",
        "labels": {"sessionId": session},
        "figures": {"burnRateUsdPerHour": Decimal("4.200000000001"), "anomalyRatio": Decimal("8.4")},
    }
    return Alert(**(told | changes))


async def fired(pool: Pool, alert: Alert, at: datetime = NOW) -> Fired:
    """Fires in a transaction of its own."""
    async with pool.connection() as connection, connection.transaction():
        return await fire(connection, alert, at)


async def resolved(pool: Pool, key: str, at: datetime = NOW) -> bool:
    """Resolves in a transaction of its own."""
    async with pool.connection() as connection, connection.transaction():
        return await resolve(connection, key, at)


async def destination(pool: Pool, name: str = "hook", **columns: Any) -> UUID:
    """A destination, written without the API."""
    told: dict[str, Any] = {
        "org_id": "", "name": name, "kind": "webhook", "url": "https://hook.example/x", "created_at": NOW,
        "updated_at": NOW, "updated_by": "ada",
    }  # fmt: skip
    told |= columns
    names, places = ", ".join(told), ", ".join(f"%({name})s" for name in told)
    async with pool.connection() as connection:
        text = f"insert into alert_destinations ({names}) values ({places}) returning destination_id"
        row = await (await connection.execute(text, told)).fetchone()
    assert row is not None
    assert isinstance(row[0], UUID)
    return row[0]


async def rows(pool: Pool, text: str) -> list[Any]:
    """Rows of a statement."""
    async with pool.connection() as connection:
        return await (await connection.execute(text)).fetchall()


async def outbox(pool: Pool) -> list[tuple[str, str]]:
    """What is in the outbox, in its order: event and state."""
    return await rows(pool, "select event, state from alert_deliveries order by seq")

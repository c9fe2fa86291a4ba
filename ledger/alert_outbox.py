"""The outbox: which destination has to be told what now, and what came of it.

Any number of processes may send. A destination is a lane: whoever holds its lease sends to it, one parcel at a time,
and a lease that its holder does not live to give back ends by itself. Nothing overtakes another delivery of its key.
What was sent and could not be marked is sent again, with the same identity.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from finops.alert_delivery import (
    RETRY_AFTER_MAX,
    SILENCES_MAX,
    Attempt,
    Channel,
    Delivery,
    Destination,
    Event,
    Parcel,
    Renotify,
    Verdict,
    delay,
)
from finops.alerts import Silence, silenced_until
from ledger.alert_rows import alert_of, destination_of, silence_of
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

LEASE = timedelta(seconds=30)
"""Longer than any attempt takes."""
BATCH_MAX = {Channel.SLACK: 20, Channel.APPRISE: 20, Channel.ALERTMANAGER: 50}
"""Deliveries in one message; elsewhere one."""
LOOKED_AT_MAX = 50
FORGOTTEN_AT_ONCE = 1000
GIVEN_UP_AT_ONCE = 10_000
TOO_MANY = "too many deliveries waited (FINOPS_ALERT_WAITING_MAX)"
PACE = {Channel.SLACK: timedelta(seconds=1)}
"""Slack takes one message a second."""


class DeliveryRules(NamedTuple):
    """What an operator can set."""

    give_up: timedelta = timedelta(days=1)
    """After the first failure; then the delivery is dead."""
    resend: timedelta = timedelta(minutes=1)
    """How often Alertmanager is told that an alert still fires."""
    keep: timedelta = timedelta(days=400)
    """For how long alerts that are over stay in the history."""
    waiting_max: int = 1000
    """Deliveries that may wait for one destination."""


class Outbox:
    """Claims and settles over a pool. Raises ``LedgerUnavailable`` where the database cannot be reached in time."""

    def __init__(self, pool: Pool, rules: DeliveryRules) -> None:
        self._pool = pool
        self._rules = rules

    async def claim(self, now: datetime, lanes_max: int) -> list[Parcel]:
        """What has to be sent now, at most one parcel a destination; each is to be settled within ``LEASE``."""
        parcels = []
        async with reaching(self._pool) as connection, connection.transaction():
            values = {"now": now, "until": now + LEASE, "lanes": lanes_max}
            lanes: list[Any] = await (await connection.execute(query("alert_claim"), values)).fetchall()
            silences = await silences_now(connection, now) if lanes else []
            for *columns, lease, failures in lanes:
                destination = destination_of(columns)
                due = await _due(connection, destination, silences, now)
                if due:
                    parcels.append(Parcel(destination, due, lease, failures))
                else:
                    await _release(connection, destination.destination_id, lease, None, failures)
        return parcels

    async def settle(self, parcel: Parcel, attempt: Attempt, now: datetime, chance: float) -> None:
        """Writes down what came of it. ``chance`` (0 to 1) spreads the next try."""
        async with reaching(self._pool) as connection, connection.transaction():
            if attempt.verdict is Verdict.SENT:
                await self._sent(connection, parcel, attempt, now)
                rest, failures = now + PACE.get(parcel.destination.channel, timedelta()), 0
            else:
                rest, failures = await self._failed(connection, parcel, attempt, now, chance)
            await _release(connection, parcel.destination.destination_id, parcel.lease, rest, failures)

    async def mend_clock(self, now: datetime) -> None:
        """Ends waits that were written while the clock was ahead; for the start, and for a clock that went back."""
        latest = now + RETRY_AFTER_MAX
        async with reaching(self._pool) as connection:
            await connection.execute(query("alert_mend_clock"), {"latest": latest})

    async def forget(self, now: datetime) -> None:
        """Takes away what was over long ago, some of it at a time."""
        values = {"before": now - self._rules.keep, "limit": FORGOTTEN_AT_ONCE}
        async with reaching(self._pool) as connection:
            await connection.execute(query("alert_forget"), values)

    async def give_up_the_oldest(self) -> Counter[str]:
        """Makes room where more waits than may: how many deliveries were given up, by destination."""
        values = {"waiting_max": self._rules.waiting_max, "limit": GIVEN_UP_AT_ONCE, "fault": TOO_MANY}
        async with reaching(self._pool) as connection:
            rows = await (await connection.execute(query("alert_overflow"), values)).fetchall()
        return Counter(str(row[0]) for row in rows)

    async def _sent(self, connection: Connection, parcel: Parcel, attempt: Attempt, now: datetime) -> None:
        destination, ids = parcel.destination, parcel.ids
        rows = await (await connection.execute(query("alert_hold_alerts"), {"ids": ids})).fetchall()
        firing = [row[0] for row in rows]
        resend = destination.channel is Channel.ALERTMANAGER
        values = {
            "ids": ids,
            "now": now,
            "firing": firing,
            "status": attempt.status,
            "resend_at": now + self._rules.resend if resend else None,
        }
        await connection.execute(query("alert_sent"), values)
        if destination.renotify is Renotify.INTERVAL and not resend and firing:
            remind_at = now + timedelta(seconds=destination.renotify_seconds)
            await connection.execute(query("alert_remind"), {**values, "remind_at": remind_at})

    async def _failed(
        self, connection: Connection, parcel: Parcel, attempt: Attempt, now: datetime, chance: float
    ) -> tuple[datetime, int]:
        """When the destination is tried again, and how often in a row it has failed."""
        alone = len(parcel.deliveries) == 1
        refused = attempt.verdict is Verdict.NEVER
        old = now - self._rules.give_up
        following, dead = [], []
        for delivery in parcel.deliveries:
            at_once = refused and not delivery.resending
            following.append(now + (timedelta() if at_once else delay(delivery.attempts + 1, chance)))
            dead.append((refused and alone) or (delivery.failing_since or now) <= old)
        values = {"ids": parcel.ids, "next": following, "dead": dead, "now": now}
        await connection.execute(query("alert_failed"), {**values, "status": attempt.status, "fault": attempt.fault})
        if refused:  # the next parcel may be taken: what is refused together is sent one by one from now on
            return now, parcel.failures + 1
        rest = max(delay(parcel.failures + 1, chance), attempt.retry_after or timedelta())
        return now + rest, parcel.failures + 1


async def silences_now(connection: Connection, now: datetime) -> list[Silence]:
    """Every silence that is not over."""
    values = {"now": now, "orgs": None, "limit": SILENCES_MAX}
    rows: list[Any] = await (await connection.execute(query("alert_silences_now"), values)).fetchall()
    return [silence_of(row).silence for row in rows]


async def _due(
    connection: Connection, destination: Destination, silences: Sequence[Silence], now: datetime
) -> list[Delivery]:
    """What is sent to the destination now. What a silence covers waits, or is dropped where it is over.

    The end of an alert is told to whoever was told of it, silence or not, and to nobody else.
    """
    values = {"destination": destination.destination_id, "now": now, "limit": LOOKED_AT_MAX}
    await connection.execute(query("alert_refresh"), values)
    rows: list[Any] = await (await connection.execute(query("alert_due"), values)).fetchall()
    held, dropped, due = {}, [], []
    for *columns, over, told_before in rows:
        found = _delivery(columns)
        end = found.event is Event.RESOLVED
        until = None if end else silenced_until(silences, found.alert, now)
        if until is None and (told_before or not end):
            due.append(found)
        elif until is None or over:
            dropped.append(found.delivery_id)
        else:
            held[found.delivery_id] = until
    if held:
        await connection.execute(query("alert_hold"), {"ids": list(held), "untils": list(held.values())})
    if dropped:
        await connection.execute(query("alert_drop"), {"ids": dropped})
    return _together(due)[: BATCH_MAX.get(destination.channel, 1)]


def _together(due: list[Delivery]) -> list[Delivery]:
    """What may go in one message: whatever failed before goes alone, so that one bad delivery cannot spoil others."""
    if due and due[0].attempts and not due[0].resending:
        return due[:1]
    return [one for one in due if one.resending or not one.attempts]


def _delivery(columns: Sequence[Any]) -> Delivery:
    number, event, snapshot, before, happened, fired, attempts, resending, since = columns
    return Delivery(number, Event(event), alert_of(snapshot), before, happened, fired, attempts, resending, since)


async def _release(
    connection: Connection, destination_id: str, lease: str, not_before: datetime | None, failures: int
) -> None:
    values = {"destination": destination_id, "lease": lease, "not_before": not_before, "failures": failures}
    await connection.execute(query("alert_release"), values)

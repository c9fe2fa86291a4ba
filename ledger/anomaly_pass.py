"""The judge's look at every session: opens and closes anomalies, and has everybody told, in one transaction.

What stands is read under a lock and written before it is given back: two judges at once, a judge cut off, or one
started again neither tell twice nor forget.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from finops.alerts import Alert, alert_key
from finops.alerts import Severity as AlertSeverity
from finops.anomalies import Anomaly, Change
from finops.anomaly_rules import Rule, Rules, Severity
from ledger import alerts
from ledger.anomalies import Decided, decide, top_calls
from ledger.audit import json_text
from ledger.pool import Connection, Pool
from ledger.reading import reaching
from sql import query

OPENINGS_MAX = 500
"""Anomalies opened in one look, those furthest above their baseline; the others open with the next."""


class AnomalyPass:
    """A pass of the judge."""

    name = "anomalies"

    def __init__(self, pool: Pool, rules: Rules) -> None:
        self._pool = pool
        self._rules = rules

    async def run(self, now: datetime) -> None:
        """One look. Raises ``LedgerUnavailable`` or psycopg's errors, with nothing decided."""
        async with reaching(self._pool) as connection, connection.transaction():
            await connection.execute(query("anomaly_turn"))
            decided = await decide(connection, self._rules, now)
            opened = sorted(_of(decided, Change.OPENED), key=lambda one: one.step.anomaly.ratio or 0, reverse=True)
            for one in opened[:OPENINGS_MAX]:
                await _open(connection, one.step.anomaly, now)
            for one in [*_of(decided, Change.WORSENED), *_of(decided, Change.CLOSED)]:
                await _change(connection, one, now)
            await _keep(connection, _of(decided, Change.KEPT))


def _of(decided: Sequence[Decided], change: Change) -> list[Decided]:
    return [one for one in decided if one.step.change is change]


async def _open(connection: Connection, anomaly: Anomaly, now: datetime) -> None:
    anomaly = anomaly._replace(top_calls=await top_calls(connection, anomaly, now))
    await connection.execute(query("anomaly_open"), _columns(anomaly))
    await alerts.fire(connection, alert_of(anomaly), now)


async def _change(connection: Connection, one: Decided, now: datetime) -> None:
    anomaly = one.step.anomaly
    anomaly = anomaly._replace(top_calls=await top_calls(connection, anomaly, now))
    await connection.execute(query("anomaly_update"), _columns(anomaly))
    if one.step.change is Change.CLOSED:
        await alerts.resolve(connection, key_of(anomaly), now)
    else:
        await alerts.fire(connection, alert_of(anomaly), now)


async def _keep(connection: Connection, kept: Sequence[Decided]) -> None:
    """Only what is news: the time of the look alone is none, unless it counts towards the end."""
    news = [
        one.step.anomaly
        for one in kept
        if one.before is not None
        and (one.step.anomaly.below_seconds is not None or one.step.anomaly != _looked_at(one.before, one.step.anomaly))
    ]
    if news:
        async with connection.cursor() as cursor:
            await cursor.executemany(query("anomaly_update"), [_columns(anomaly) for anomaly in news])


def _looked_at(before: Anomaly, after: Anomaly) -> Anomaly:
    return before._replace(judged_at=after.judged_at)


def key_of(anomaly: Anomaly) -> str:
    """The key of its alert."""
    return alert_key("anomaly", *anomaly.key)


def alert_of(anomaly: Anomaly) -> Alert:
    """What is told of an open anomaly."""
    severity = AlertSeverity.CRITICAL if anomaly.severity is Severity.CRITICAL else AlertSeverity.WARNING
    return Alert(
        key=key_of(anomaly),
        kind="anomaly",
        severity=severity,
        org_id=anomaly.org_id,
        agent_id=anomaly.agent_id,
        title=f"A session of {anomaly.agent_id} burns too fast",
        summary=_summary(anomaly),
        labels={"sessionId": anomaly.session_id},
        figures={
            "rule": str(anomaly.rule),
            "burnRateUsdPerHour": anomaly.burn_rate_usd_per_hour,
            "baselineUsdPerHour": anomaly.baseline_usd_per_hour,
            "anomalyRatio": anomaly.ratio,
            "windowSeconds": anomaly.window_seconds,
            "calls": anomaly.calls,
        },
    )


def _summary(anomaly: Anomaly) -> str:
    rate, ratio = anomaly.burn_rate_usd_per_hour, anomaly.ratio
    burns = f"Session {anomaly.session_id} of {anomaly.agent_id} burns {_shown(rate)} USD an hour"
    if ratio is not None:
        burns += f", {_shown(ratio)} times its baseline of {_shown(anomaly.baseline_usd_per_hour)}"
    return burns + (", with one call dearer than any should be." if anomaly.rule is Rule.SINGLE_CALL else ".")


def _shown(value: Decimal | None) -> str:
    return "unknown" if value is None else format(round(value, 2), "f") if value >= 1 else format(round(value, 6), "f")


def _columns(anomaly: Anomaly) -> dict[str, object]:
    told = {"severity": str(anomaly.severity), "rule": str(anomaly.rule), "top_calls": json_text(anomaly.top_calls)}
    return anomaly._asdict() | told

"""What is known of sessions that may burn abnormally, and what was decided of them; deciding is left to ``finops``."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from finops.anomalies import REOPEN_AFTER, Anomaly, Change, Step, next_step
from finops.anomaly_rules import LONG_SECONDS, SHORT_SECONDS, Evidence, Rule, Rules, Severity
from finops.burn import SlotSpend, window_start
from finops.money import usd
from finops.ratios import plain
from finops.reports import NO_FILTERS, Filters, Stated
from ledger.pool import Connection, Pool
from ledger.reading import filter_values, look, reaching
from sql import query

SUSPECTS_MAX = 10_000
"""Sessions looked at closely at once, those that may have spent most; open anomalies always are."""
TOP_CALLS_MAX = 5
PAGE_MAX = 1000
_AFTER_ALL = 2**63 - 1

Key = tuple[str, str, str]
"""Organisation, session, agent."""


class Decided(NamedTuple):
    """A step, and what stood before."""

    before: Anomaly | None
    step: Step


async def decide(connection: Connection, rules: Rules, now: datetime, filters: Filters = NO_FILTERS) -> list[Decided]:
    """What a look at every session that may be abnormal comes to; writes nothing. Filters by call are not for here."""
    standing = await _standing(connection, now, filters)
    found = []
    for evidence in await _evidence(connection, rules, now, filters):
        before = standing.get(evidence.key)
        step = next_step(before, evidence, rules, now)
        if step is not None:
            found.append(Decided(before, step))
    return found


async def _evidence(connection: Connection, rules: Rules, now: datetime, filters: Filters) -> list[Evidence]:
    values = _scope(filters) | {
        "now": now,
        "window_start": window_start(now, rules.window_seconds),
        "short_start": window_start(now, SHORT_SECONDS),
        "long_start": window_start(now, LONG_SECONDS),
        "least_seconds": min(rules.window_seconds, SHORT_SECONDS),
        "floor_pico": min(rules.floor_pico, rules.single_call_pico),
        "single_call_pico": rules.single_call_pico,
        "multiplier": rules.multiplier,
        "limit": SUSPECTS_MAX,
    }
    rows: list[Any] = await (await connection.execute(query("anomaly_evidence"), values)).fetchall()
    return [_evidence_of(row) for row in rows]


def _evidence_of(row: Sequence[Any]) -> Evidence:
    spend, calls, unpriced, short, long, largest, seen, slots, costs, baseline, multiplier = row[3:]
    return Evidence(
        org_id=row[0],
        session_id=row[1],
        agent_id=row[2],
        spend_pico=None if spend is None else int(spend),
        calls=calls,
        unpriced_calls=unpriced,
        short_pico=int(short),
        long_pico=int(long),
        largest_pico=int(largest),
        last_seen_at=seen,
        slots=tuple(SlotSpend(slot, int(cost)) for slot, cost in zip(slots, costs, strict=True)),
        baseline_pico_per_hour=None if baseline is None else plain(baseline),
        own_multiplier=None if multiplier is None else plain(multiplier),
    )


async def _standing(connection: Connection, now: datetime, filters: Filters) -> dict[Key, Anomaly]:
    values = _scope(filters) | {"lately": now - REOPEN_AFTER}
    rows: list[Any] = await (await connection.execute(query("anomaly_standing"), values)).fetchall()
    return {anomaly.key: anomaly for anomaly in map(_anomaly, rows)}


async def top_calls(connection: Connection, anomaly: Anomaly, now: datetime) -> list[Mapping[str, object]]:
    """The dearest calls since the window in which the anomaly opened, as plain values with money in USD."""
    values = {
        "org_id": anomaly.org_id,
        "session_id": anomaly.session_id,
        "agent_id": anomaly.agent_id,
        "since": anomaly.opened_at - timedelta(seconds=anomaly.window_seconds),
        "until": now + timedelta(seconds=10),
        "limit": TOP_CALLS_MAX,
    }
    rows: list[Any] = await (await connection.execute(query("anomaly_top_calls"), values)).fetchall()
    return [
        {
            "traceId": row[0],
            "spanId": row[1],
            "at": row[2].isoformat().replace("+00:00", "Z"),
            "provider": row[3] or None,
            "modelId": row[4] or None,
            "inputTokens": row[5],
            "outputTokens": row[6],
            "costUsd": usd(int(row[7])),
        }
        for row in rows
    ]


class AnomalyReports:
    """Anomalies over one pool, open ones as of now. Raises ``LedgerUnavailable`` where it cannot answer in time."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def active(self, now: datetime, rules: Rules, filters: Filters) -> Stated[list[Anomaly]]:
        """What is open now, or would be with the judge's next look, the worst ratio first, the unknown last.

        A filter by model or environment keeps the sessions with such a call inside the window.
        """
        async with look(self._pool) as ledger:
            decided = await decide(ledger.connection, rules, now, filters)
            found = [step.anomaly for _, step in decided if step.change is not Change.CLOSED]
            if filters.models is not None or filters.environments is not None:
                found = await _using(ledger.connection, found, rules, now, filters)
        found.sort(key=lambda one: (one.ratio is not None, one.ratio or 0, one.spend_pico or 0), reverse=True)
        return Stated(found, ledger.complete_through, ledger.pending_ranges)

    async def page(
        self, *, limit: int, before: int | None, filters: Filters, sessions: Sequence[str] | None, is_open: bool | None
    ) -> list[Anomaly]:
        """Kept anomalies, the newest first; ``before`` is the last ``anomaly_id`` of the page before."""
        values = _scope(filters) | {
            "before": _AFTER_ALL if before is None else before,
            "limit": min(limit, PAGE_MAX),
            "sessions": None if sessions is None else list(sessions),
            "open": is_open,
        }
        async with reaching(self._pool) as connection:
            rows: list[Any] = await (await connection.execute(query("anomaly_page"), values)).fetchall()
        return [_anomaly(row) for row in rows]


async def _using(
    connection: Connection, found: Sequence[Anomaly], rules: Rules, now: datetime, filters: Filters
) -> list[Anomaly]:
    sessions = sorted({anomaly.session_id for anomaly in found})
    values = filter_values(filters) | {"sessions": sessions, "since": window_start(now, rules.window_seconds)}
    rows: list[Any] = await (await connection.execute(query("anomaly_sessions_using"), values)).fetchall()
    using = {tuple(row) for row in rows}
    return [anomaly for anomaly in found if anomaly.key in using]


_ANOMALY = ("anomaly_id", *(name for name in Anomaly._fields if name != "anomaly_id"))
"""The columns of a kept anomaly, in the order of the queries."""


def _anomaly(row: Sequence[Any]) -> Anomaly:
    values = dict(zip(_ANOMALY, row, strict=True))
    for name in ("baseline_pico_per_hour", "multiplier", "opened_ratio", "peak_ratio"):
        values[name] = None if values[name] is None else plain(values[name])
    for name in ("spend_pico", "peak_spend_pico"):
        values[name] = None if values[name] is None else int(values[name])
    return Anomaly(**values | {"severity": Severity(values["severity"]), "rule": Rule(values["rule"])})


def _scope(filters: Filters) -> dict[str, object]:
    return {name: value for name, value in filter_values(filters).items() if name in ("orgs", "agents")}

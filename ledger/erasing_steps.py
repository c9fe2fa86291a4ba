"""One step of an erasure, in the open transaction, with the row of its run held."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid4

from finops.alerts import ANOMALY, BUDGET, alert_key
from finops.audit import ERASURE_FINISHED
from finops.erasure import Kind, Phase, Replaced
from finops.spans import Dimensions
from ledger import audit, corrections
from ledger.erasing_spans import rename_in_traces
from ledger.open_traces import shard_of
from ledger.pool import Connection
from sql import query

SPANS_WALKED = 20_000
"""Spans looked at in one step."""
TRACES_CHANGED = 300
"""Traces changed in one step: the tenants' collectors wait that long."""
ENTRIES_CHANGED = 2_000
"""Entries changed in one step, likewise."""
SUSPENSE_WALKED = 2_000
_LAST_SPAN: Final = b"\xff" * 8


class Run(NamedTuple):
    """A run as it is held."""

    erasure_id: UUID
    replaced: Replaced
    phase: Phase
    tenant: str
    trace_id: bytes
    span_id: bytes
    suspense_id: int
    actor: str
    reason: str

    @property
    def shards(self) -> list[int]:
        """Of the tenants whose spans the organisation's can be."""
        return sorted({shard_of(""), shard_of(self.replaced.org_id)})

    def in_phase(self, phase: Phase) -> "Run":
        """At the beginning of another phase."""
        return self._replace(phase=phase, tenant="", trace_id=b"", span_id=b"", suspense_id=0)


Changed = tuple[Run, Mapping[str, int]]
"""How far it has come, and in how many rows of what it was replaced on the way."""


async def step(connection: Connection, erasure_id: UUID, now: datetime) -> bool:
    """Whether there is more to do. Raises psycopg's errors, with nothing done."""
    row: Any = await (await connection.execute(query("erasure_hold"), {"erasure_id": erasure_id})).fetchone()
    if row is None:
        return False
    org_id, kind, identifier, pseudonym, phase, tenant, trace, span, last, actor, reason = row
    replaced = Replaced(org_id, Kind(kind), identifier, pseudonym)
    run = Run(erasure_id, replaced, Phase(phase), tenant, bytes(trace), bytes(span), last, actor, reason)
    if run.phase is Phase.REST:
        return not await _finish(connection, run, now)
    await _keep(connection, *await _STEPS[run.phase](connection, run))
    return True


async def _keep(connection: Connection, run: Run, counts: Mapping[str, int]) -> None:
    values = {
        "erasure_id": run.erasure_id,
        "phase": str(run.phase),
        "cursor_tenant": run.tenant,
        "cursor_trace": run.trace_id,
        "cursor_span": run.span_id,
        "cursor_id": run.suspense_id,
        "names": list(counts),
        "numbers": list(counts.values()),
    }
    await connection.execute(query("erasure_advance"), values)


async def _in_spans(connection: Connection, run: Run) -> Changed:
    """Walks over the spans of the tenants; only those who state the identifier are changed, with their traces."""
    values = {
        **_named(run.replaced),
        "place": Dimensions._fields.index(run.replaced.kind),
        "tenant": run.tenant,
        "cursor_trace": run.trace_id,
        "cursor_span": run.span_id,
        "limit": SPANS_WALKED,
    }
    row: Any = await (await connection.execute(query("erasure_walk"), values)).fetchone()
    traces, last_trace, last_span, walked = row
    if found := [bytes(trace) for trace in traces[:TRACES_CHANGED]]:
        changed = await _in_traces(connection, run, [(run.tenant, trace) for trace in found])
        if len(traces) > TRACES_CHANGED:
            return run._replace(trace_id=found[-1], span_id=_LAST_SPAN), {"spans": changed}
    else:
        changed = 0
    if walked == SPANS_WALKED:
        return run._replace(trace_id=bytes(last_trace), span_id=bytes(last_span)), {"spans": changed}
    if run.tenant == "":
        return run._replace(tenant=run.replaced.org_id, trace_id=b"", span_id=b""), {"spans": changed}
    return run.in_phase(Phase.ENTRIES), {"spans": changed}


async def _in_traces(connection: Connection, run: Run, keys: Sequence[tuple[str, bytes]]) -> int:
    """The heads are signed with a name nobody has, so that collectors forget what they remember of these traces."""
    await corrections.hold(connection, run.shards)
    changed = await rename_in_traces(connection, run.replaced, keys, run.replaced.org_id)
    await connection.execute(query("sign_heads"), {"shards": run.shards, "writer": uuid4()})
    return changed


async def _in_entries(connection: Connection, run: Run) -> Changed:
    spans, entries = await _some_entries(connection, run)
    return (run if entries else run.in_phase(Phase.SUSPENSE)), {"spans": spans, "entries": entries}


async def _some_entries(connection: Connection, run: Run) -> tuple[int, int]:
    """How many spans and entries have changed. The heads are held, because corrections read what they take back."""
    await corrections.hold(connection, run.shards)
    values = {**_named(run.replaced), "limit": ENTRIES_CHANGED}
    mixed: Any = await (await connection.execute(query("erasure_mixed"), values, binary=True)).fetchall()
    spans = await _in_traces(connection, run, [(str(one), bytes(trace)) for one, trace in mixed]) if mixed else 0
    asked = {"erasure_id": run.erasure_id, "limit": ENTRIES_CHANGED}
    row: Any = await (await connection.execute(query("erasure_entries"), asked)).fetchone()
    return spans, int(row[0])


async def _in_suspense(connection: Connection, run: Run) -> Changed:
    values = {"erasure_id": run.erasure_id, "after": run.suspense_id, "limit": SUSPENSE_WALKED}
    row: Any = await (await connection.execute(query("erasure_suspense"), values)).fetchone()
    last, looked, changed = row
    more = looked == SUSPENSE_WALKED
    return (run._replace(suspense_id=last) if more else run.in_phase(Phase.REST)), {"suspense": changed}


_STEPS: Final[Mapping[Phase, Callable[[Connection, Run], Coroutine[Any, Any, Changed]]]] = {
    Phase.SPANS: _in_spans,
    Phase.ENTRIES: _in_entries,
    Phase.SUSPENSE: _in_suspense,
}


async def _finish(connection: Connection, run: Run, now: datetime) -> bool:
    """What is left, all in one transaction, and the end; False where there were entries again."""
    spans, entries = await _some_entries(connection, run)
    if entries:
        await _keep(connection, run, {"spans": spans, "entries": entries})
        return False
    await connection.execute(query("anomaly_turn"))
    await connection.execute(query("budgets_lock"))
    before, after = await _alert_keys(connection, run.replaced)
    asked: dict[str, object] = {"erasure_id": run.erasure_id}
    counts = await _told(connection, "erasure_sessions", asked) if run.replaced.kind is Kind.SESSION else {}
    statements = {**asked, "now": now, "before": before, "after": after}
    counts |= await _told(connection, "erasure_statements", statements)
    await connection.execute(query("erasure_turn"))
    redacted = await _told(connection, "erasure_audit", asked)
    await _keep(connection, run, {**counts, "auditRows": len(redacted)})
    row: Any = await (await connection.execute(query("erasure_finish"), {**asked, "now": now})).fetchone()
    told = {"kind": str(run.replaced.kind), "pseudonym": run.replaced.pseudonym, "counts": row[0], "redacted": redacted}
    await audit.record(
        connection,
        at=now,
        actor=run.actor,
        action=ERASURE_FINISHED,
        subject=str(run.erasure_id),
        org_id=run.replaced.org_id,
        after=told,
        reason=run.reason,
    )
    return True


async def _alert_keys(connection: Connection, replaced: Replaced) -> tuple[list[str], list[str]]:
    """The keys of the alerts that are about it, as they are and as they are to be."""
    pairs: list[tuple[str, str]] = []
    org_id, kind, was, becomes = replaced
    if kind is Kind.SESSION:
        agents: Any = await (await connection.execute(query("erasure_alert_agents"), _named(replaced))).fetchall()
        for (agent_id,) in agents:
            pairs.append((alert_key(ANOMALY, org_id, was, agent_id), alert_key(ANOMALY, org_id, becomes, agent_id)))
    firings: Any = await (await connection.execute(query("erasure_firings"), _named(replaced))).fetchall()
    for budget_id, start, threshold, limit_pico in firings:
        rest = (str(threshold), start.isoformat(), str(int(limit_pico)))
        pairs.append((alert_key(BUDGET, budget_id, was, *rest), alert_key(BUDGET, budget_id, becomes, *rest)))
    return [before for before, _ in pairs], [after for _, after in pairs]


async def _told(connection: Connection, name: str, values: Mapping[str, object]) -> Any:
    """The JSON that a function answers."""
    row = await (await connection.execute(query(name), values)).fetchone()
    assert row is not None
    return row[0]


def _named(replaced: Replaced) -> dict[str, object]:
    return {"org_id": replaced.org_id, "kind": str(replaced.kind), "identifier": replaced.identifier}

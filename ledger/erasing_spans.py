"""Names replaced in stored traces, whole traces at a time; the heads of their tenants are held."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from psycopg.types.json import Jsonb

from finops.call_scopes import EveryScope
from finops.counting import Search, StoredSpan, TraceKey
from finops.erasure_traces import ChangedSpan, Names, counter_of, without_names
from finops.invariants import Identity
from ledger import append_rows, mapping
from ledger.pool import Connection
from sql import query

_EVERY_SCOPE = EveryScope()


async def rename_in_traces(
    connection: Connection, names: Names, keys: Sequence[TraceKey], org_id: str, before: datetime | None = None
) -> int:
    """Replaces them in the organisation's spans of these traces, or in those of a time ``before``.

    Returns how many spans have changed, copies in other traces included.
    """
    traces = await _stored(connection, keys)
    others: dict[TraceKey, list[StoredSpan]] = {}
    counter, done = counter_of(traces, {}), Search.nothing()
    while any(search := counter.search(done, _EVERY_SCOPE)):
        found = await append_rows.traces_with_copies(connection, search)
        for key, spans in (await _stored(connection, {key for key in found if not counter.holds(key)})).items():
            counter.restore(key, spans)
            others[key] = spans
    owned = await _owned(connection, [*traces, *others], org_id, before)
    changed = without_names(names, traces, others, owned, counter.decide())
    if changed:
        await connection.execute(query("erasure_spans"), _columns(changed))
    return len(changed)


async def _stored(connection: Connection, keys: Iterable[TraceKey]) -> dict[TraceKey, list[StoredSpan]]:
    wanted = sorted(keys)
    found: dict[TraceKey, list[StoredSpan]] = {key: [] for key in wanted}
    async for row in await connection.execute(query("restore_traces"), _named(wanted), binary=True):
        key, span = mapping.stored_span_from(row)
        found[key].append(span)
    return found


async def _owned(
    connection: Connection, keys: Sequence[TraceKey], org_id: str, before: datetime | None
) -> set[Identity]:
    values = {**_named(sorted(keys)), "org_id": org_id, "before": before}
    rows = await (await connection.execute(query("erasure_owners"), values, binary=True)).fetchall()
    return {(str(tenant), bytes(trace), bytes(span)) for tenant, trace, span in rows}  # type: ignore[call-overload]


def _named(keys: Sequence[TraceKey]) -> Mapping[str, object]:
    return {"tenants": [key[0] for key in keys], "traces": [key[1] for key in keys]}


def _columns(changed: Sequence[ChangedSpan]) -> Mapping[str, object]:
    facts = [mapping.facts_of(one.record) for one in changed]
    return {
        "tenants": [one.record.tenant for one in changed],
        "traces": [one.record.trace_id for one in changed],
        "spans": [one.record.span_id for one in changed],
        "facts": [None if said is None else Jsonb(said) for said in facts],
        "posted": [one.posted for one in changed],
    }

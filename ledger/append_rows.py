"""Rows of the append in and out: what stands, what may be a copy, spans."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from psycopg.types.json import Jsonb

from finops.counting import Search, ShadowSearch, TraceKey, TwinSearch
from finops.entries import Entry
from finops.trace_node import Node
from ledger import copy_rows as binary
from ledger import mapping, sums
from ledger.pool import Connection
from ledger.settling import Kept
from sql import query


async def traces_with_copies(connection: Connection, search: Search) -> set[TraceKey]:
    found: set[TraceKey] = set()
    if search.ids:
        listed = sorted(search.ids)
        parameters = {"tenants": [tenant for tenant, _ in listed], "keys": [key for _, key in listed]}
        rows = await connection.execute(query("traces_by_id"), parameters, binary=True)
        found |= {(str(row[0]), bytes(row[1])) async for row in rows}  # type: ignore[call-overload]
    if search.twins:
        rows = await connection.execute(query("traces_by_twin"), _twin_parameters(sorted(search.twins)), binary=True)
        found |= {(str(row[0]), bytes(row[1])) async for row in rows}  # type: ignore[call-overload]
    for silent in (True, False):
        if moments := [item for item in search.shadows if item.silent is silent]:
            name = "traces_with_usage" if silent else "traces_without_usage"
            rows = await connection.execute(query(name), _shadow_parameters(moments), binary=True)
            found |= {(str(row[0]), bytes(row[1])) async for row in rows}  # type: ignore[call-overload]
    return found


def _shadow_parameters(moments: Sequence[ShadowSearch]) -> dict[str, object]:
    return {
        "tenants": [item.tenant for item in moments],
        "services": [item.service for item in moments],
        "from_times": [mapping.time_of(item.from_ns) for item in moments],
        "to_times": [mapping.time_of(item.to_ns) for item in moments],
        "from_time": mapping.time_of(min(item.from_ns for item in moments)),
        "to_time": mapping.time_of(max(item.to_ns for item in moments)),
        "tenants_once": sorted({item.tenant for item in moments}),
    }


def _twin_parameters(twins: Sequence[TwinSearch]) -> dict[str, object]:
    return {
        "tenants": [twin.tenant for twin in twins],
        "keys": [twin.key for twin in twins],
        "scopes": [twin.scope for twin in twins],
        "from_times": [mapping.time_of(twin.from_ns) for twin in twins],
        "to_times": [mapping.time_of(twin.to_ns) for twin in twins],
        "have_ids": [twin.has_id for twin in twins],
    }


async def standing(connection: Connection, nodes: Sequence[Node]) -> dict[int, Entry]:
    """The entries that stand now, by the id() of their nodes."""
    if not nodes:
        return {}
    identities = [(n.record.tenant, n.record.trace_id, n.record.span_id) for n in nodes]
    parameters = {
        "times": [mapping.time_of(node.posted_ns) for node in nodes],
        "tenants": [identity[0] for identity in identities],
        "traces": [identity[1] for identity in identities],
        "spans": [identity[2] for identity in identities],
        "revisions": [node.revision for node in nodes],
    }
    rows = await (await connection.execute(query("standing_entries"), parameters)).fetchall()
    found = {(e.tenant, e.trace_id, e.span_id): e for e in map(mapping.entry_from, rows)}
    return {id(node): found[identity] for node, identity in zip(nodes, identities, strict=True)}


async def copy_pieces(connection: Connection, statement: str, pieces: Iterator[bytes]) -> None:
    """Rows as ``ledger.copy_rows`` makes them, sent as they come: the server works on them while the next are made."""
    first = next(pieces, None)
    if first is None:
        return
    async with connection.cursor().copy(query(statement)) as copy:
        await copy.write(binary.HEADER + first)
        for piece in pieces:
            await copy.write(piece)
        await copy.write(binary.TRAILER)


Parameters = Mapping[str, object]


class Sums(NamedTuple):
    """What a set of entries adds to sums, as the parameters of statements; None where it adds nothing."""

    quarters: Parameters | None
    days: Parameters | None
    slots: Parameters | None


def sums_of(entries: Sequence[Entry]) -> Sums:
    """What entries add to the sums by quarter hour, by day, and to the slots of their sessions."""
    quarters = sums.rollup(entries, sums.QUARTER_HOUR_NS)
    by_quarter, by_day = sums.columns(quarters), sums.columns(sums.wider(quarters, sums.DAY_NS))
    slots = sums.slots(entries)
    return Sums(
        by_quarter if by_quarter["bucket"] else None,
        by_day if by_day["bucket"] else None,
        slots if slots["slot"] else None,
    )


async def add_sums(connection: Connection, found: Sums, *, rollups: bool) -> None:
    """Adds to the ``rollups``, unless the engine does that by itself, and to the slots of sessions."""
    if rollups and found.quarters is not None:
        await connection.execute(query("add_usage_15m"), found.quarters)
    if rollups and found.days is not None:
        await connection.execute(query("add_usage_1d"), found.days)
    if found.slots is not None:
        await connection.execute(query("add_slots"), found.slots)


def _span_row(node: Node, kept: Kept, arrived: datetime) -> tuple[object, ...]:
    record = node.record
    return (
        record.tenant,
        record.trace_id,
        record.span_id,
        record.parent_id,
        int(record.span_class),
        mapping.time_of(node.event_ns),
        arrived,
        mapping.facts_of(record),
        record.scope,
        node.id_key,
        node.twin_key,
        node.verdict,
        node.reason,
        node.revision,
        node.posted,
        kept.would_cost_pico,
        kept.org_id,
    )


def span_updates(nodes: Sequence[Node], kept: Mapping[int, Kept], arrived_ns: int) -> Parameters | None:
    """New verdicts and contents of spans that are kept already. ``kept`` is by the id() of the node."""
    if not nodes:
        return None
    moment = mapping.time_of(arrived_ns)
    rows = [_span_row(node, kept[id(node)], moment) for node in nodes]
    columns = {name: [row[at] for row in rows] for at, name in enumerate(mapping.SPAN_COLUMNS)}
    columns["facts"] = [None if facts is None else Jsonb(facts) for facts in columns["facts"]]
    return columns

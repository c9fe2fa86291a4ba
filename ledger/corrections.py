"""Corrections: takes entries back and writes others in their place, with every sum over them, in one transaction."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import uuid4

from finops.entries import Entry
from finops.entry_terms import Written
from finops.reprice import corrections
from ledger import append_rows, copy_rows, mapping
from ledger.engine import keeps_rollups
from ledger.open_traces import SHARDS, shard_of
from ledger.pool import Connection
from sql import query

EVERY_SHARD = frozenset(range(SHARDS))
PAGE_CALLS = 1000
"""Calls looked at in one transaction: the tenants' collectors wait that long."""


class Place(NamedTuple):
    """How far a walk through entries has come: everything up to here was looked at."""

    time_ns: int
    tenant: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""

    def values(self) -> dict[str, object]:
        """As the queries name it."""
        return {
            "cursor_time": mapping.time_of(self.time_ns),
            "cursor_tenant": self.tenant,
            "cursor_trace": self.trace_id,
            "cursor_span": self.span_id,
        }


def place_of(entry: Entry) -> Place:
    """Just after ``entry``."""
    return Place(entry.event_ns, entry.tenant, entry.trace_id, entry.span_id)


class Page(NamedTuple):
    """Entries that nobody else can correct until the commit."""

    entries: list[Entry]
    shards: frozenset[int]
    """To be held when the next page is read."""
    last: bool


async def hold(connection: Connection, shards: Iterable[int]) -> None:
    """Takes the right to append, lowest shard first; from here on the newest rates are those that hold."""
    await connection.execute(query("lock_heads"), {"shards": sorted(shards)})


async def read_page(
    connection: Connection, statement: str, values: dict[str, object], held: frozenset[int], limit: int = PAGE_CALLS
) -> Page:
    """Up to the first entry of a tenant that is not held: what comes after it waits for the next page."""
    await connection.execute(query("reprice_by_key"))
    rows = await (await connection.execute(query(statement), values | {"limit": limit}, binary=True)).fetchall()
    entries = [mapping.entry_from(row) for row in rows]
    wanted = [shard_of(entry.tenant) for entry in entries]
    free = next((at for at, shard in enumerate(wanted) if shard not in held), len(entries))
    return Page(entries[:free], frozenset(wanted), free == len(entries) < limit)


async def correct(connection: Connection, pairs: Sequence[tuple[Entry, Entry]], held: Iterable[int]) -> None:
    """Makes the second of each pair stand instead of the first. The shards of all of them must be ``held``.

    The heads are signed with a name nobody has, so that collectors forget what they remember of these traces.
    """
    entries = corrections(pairs)
    if not entries:
        return
    await append_rows.copy_pieces(connection, "copy_entries", iter([copy_rows.entries(map(Written, entries))]))
    await append_rows.add_sums(connection, append_rows.sums_of(entries), rollups=await keeps_rollups(connection))
    standing = [entry for entry in entries if entry.measures.calls > 0 or entry.measures.cache_hits > 0]
    await connection.execute(
        query("reprice_spans"),
        {
            "tenants": [entry.tenant for entry in standing],
            "traces": [entry.trace_id for entry in standing],
            "spans": [entry.span_id for entry in standing],
            "revisions": [entry.revision for entry in standing],
            "costs": [entry.measures.cost_pico for entry in standing],
        },
    )
    await connection.execute(query("sign_heads"), {"shards": sorted(held), "writer": uuid4()})

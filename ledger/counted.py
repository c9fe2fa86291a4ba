"""A batch as it was counted: everything that its transaction writes. Rows are made as they are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from finops.counting import Arrivals, TraceKey
from finops.entries import Entry
from finops.spans import AppendOutcome, Rejected, SpanRecord
from finops.trace_node import Node
from ledger import append_rows, arrivals, call_scopes, copy_rows, sums
from ledger.call_scopes import FreshScopes
from ledger.pool import Connection
from ledger.settling import Settling
from sql import query

SPANS_AT_ONCE: Final = 128
"""Rows made before they are sent."""


class Came(NamedTuple):
    """What arrived."""

    timed: Sequence[tuple[SpanRecord, int]]
    """Spans with their event times."""
    rejected: Sequence[Rejected]
    arrived_ns: int
    found: Arrivals
    scopes: FreshScopes


class Counted:
    """To be written once. Once it is finished, nothing of what is remembered is looked at any more."""

    def __init__(self, came: Came, settling: Settling, standing: Mapping[int, Entry]) -> None:
        self._came = came
        self._settling = settling
        self._entries: Iterator[bytes] = map(copy_rows.entries, settling.settle(standing))
        self._spans: Iterator[bytes] | None = None
        self._updates: append_rows.Parameters | None = None
        self._sums: append_rows.Sums | None = None
        self._fresh: list[Node] = []
        self._verdicts: sums.Verdicts = {}
        self._outcome = AppendOutcome()
        self._intake: arrivals.Counts = {}
        self.is_finished = False

    def traces(self) -> set[TraceKey]:
        """Those of which the ledger will hold something else than before. To be asked once it is finished."""
        nodes = (*self._settling.changed, *self._came.found.replaced)
        return {(node.record.tenant, node.record.trace_id) for node in nodes}

    def finish(self) -> None:
        """Makes everything that there is to write."""
        entries, spans = _one_by_one(self._entries), _one_by_one(self._span_pieces())
        self._add_up()
        self._entries, self._spans = iter(entries), iter(spans)

    async def write(self, connection: Connection) -> None:
        """The rows. The server takes them in while the next ones are made; afterwards it is finished."""
        if self._came.scopes:
            await call_scopes.add(connection, self._came.scopes)
        await append_rows.copy_pieces(connection, "copy_entries", self._entries)
        spans = self._span_pieces() if self._spans is None else self._spans
        await append_rows.copy_pieces(connection, "copy_spans", spans)
        if not self.is_finished:
            self._add_up()

    async def add(self, connection: Connection, *, rollups: bool) -> AppendOutcome:
        """The rest: new verdicts, sums, what arrived. One after the other without waiting for answers in between."""
        assert self._sums is not None
        if self._updates is not None:
            await connection.execute(query("update_spans"), self._updates)
        await append_rows.add_sums(connection, self._sums, rollups=rollups)
        await arrivals.write_verdicts(connection, self._verdicts, self._came.arrived_ns)
        await arrivals.write_intake(connection, self._intake, self._came.rejected, self._came.arrived_ns)
        return self._outcome

    def _span_pieces(self) -> Iterator[bytes]:
        """Rows of new spans. All entries must have been made."""
        settling, came = self._settling, self._came
        settling.keep(came.found.replaced)
        fresh = self._fresh = [node for node in settling.changed if not node.stored]
        known = {id(node): node for node in (*settling.changed, *came.found.replaced) if node.stored}
        self._updates = append_rows.span_updates(list(known.values()), settling.kept, came.arrived_ns)
        for first in range(0, len(fresh), SPANS_AT_ONCE):
            yield copy_rows.spans(fresh[first : first + SPANS_AT_ONCE], settling.kept, came.arrived_ns)
        _mark_stored(fresh)

    def _add_up(self) -> None:
        came, settling = self._came, self._settling
        fresh, _, redelivered, conflicts = came.found
        batch = [record for record, _ in came.timed]
        self._sums = append_rows.sums_of([line.entry for line in settling.entries])
        self._verdicts = sums.verdicts(self._fresh, settling.kept)
        self._outcome = arrivals.outcome_of(batch, came.rejected, fresh, redelivered, conflicts)
        self._intake = arrivals.counts_of(came.timed, came.rejected, fresh, self._outcome, settling.naive_cost)
        self.is_finished = True


def _one_by_one(pieces: Iterator[bytes]) -> list[bytes]:
    made = []
    for piece in pieces:  # not by list(): between two turns of a loop other threads may come in
        made.append(piece)  # noqa: PERF402
    return made


def _mark_stored(nodes: Sequence[Node]) -> None:
    for node in nodes:
        node.stored = True

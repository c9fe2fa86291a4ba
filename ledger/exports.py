"""Entries by the million, in pieces: a cursor of the server feeds them, so memory stays flat however many there are.

The connection is held while somebody reads and given back when they stop: whoever takes the pieces closes them.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

from finops.cost_questions import EntriesGone
from finops.entries import Measures
from finops.entry_terms import Terms, told
from finops.exported import Charge, ExportedEntry, ExportQuestion, charges_of
from ledger.pool import Pool
from ledger.reading import Row, filter_values, look

ROWS_AT_ONCE = 1000
"""Rows of one piece."""
_CALLS = ExportedEntry._fields.index("calls")
_COUNTS = {
    name: ExportedEntry._fields.index(name)
    for name in ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
}


class Exports:
    """Exports over a pool of their own. Raises ``LedgerUnavailable``, and ``EntriesGone`` before the first piece."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def entries(self, question: ExportQuestion) -> AsyncGenerator[list[ExportedEntry], None]:
        """Every entry of the window, corrections included, by event time."""
        more: dict[str, object] = {"with_terms": False, "calls_only": False}
        async with _pieces(self._pool, "export_entries", question, more) as pieces:
            async for rows in pieces:
                yield [_entry(row) for row in rows]

    async def charges(self, question: ExportQuestion) -> AsyncGenerator[list[Charge], None]:
        """What calls were charged, by kind of token, corrections included, by event time."""
        more: dict[str, object] = {"with_terms": True, "calls_only": True}
        async with _pieces(self._pool, "export_entries", question, more) as pieces:
            async for rows in pieces:
                yield [charge for row in rows for charge in charges_of(_entry(row))]

    async def agent_days(self, question: ExportQuestion) -> AsyncGenerator[list[Charge], None]:
        """The same by UTC day and agent."""
        async with _pieces(self._pool, "export_agent_days", question, {}) as pieces:
            async for rows in pieces:
                yield list(_days(rows))


@asynccontextmanager
async def _pieces(
    pool: Pool, name: str, question: ExportQuestion, more: dict[str, object]
) -> AsyncIterator[AsyncIterator[list[Row]]]:
    window = question.window
    values = filter_values(question.filters) | {"start": window.start, "end": window.end} | more
    async with look(pool) as ledger:
        (since,) = await ledger.row("entries_since", {})
        if since is not None and window.start < since:
            raise EntriesGone(since)
        async with aclosing(ledger.pieces(name, values, ROWS_AT_ONCE)) as pieces:
            yield pieces


def _entry(row: Row) -> ExportedEntry:
    """The lines of a price follow from the counts of what was priced, so from those of the entry that is taken back."""
    *columns, written_1h, terms = row
    if terms is None:
        return ExportedEntry._make((*columns, None))
    sign = -1 if columns[_CALLS] < 0 else 1
    counts = {name: sign * columns[at] for name, at in _COUNTS.items()}
    detail = told(Terms(None, terms), Measures(**counts, cache_write_1h_tokens=sign * written_1h), 0)
    return ExportedEntry._make((*columns, (detail or {}).get("lines")))


def _days(rows: list[Row]) -> Iterator[Charge]:
    for row in rows:
        numbers: list[Any] = [None if number is None else int(number) for number in row[15:20]]
        yield Charge(*row[:15], *numbers)

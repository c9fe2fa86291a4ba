"""Exports as streams of CSV or Parquet: the ledger's entries as they were written, and what they come to in FOCUS."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, TypeVar, get_type_hints

from finops.audit import EXPORTED
from finops.cost_questions import EntriesGone
from finops.exported import Charge, ColumnKind, ExportedEntry, ExportQuestion, Named
from finops.focus import focus_columns, focus_row
from finops.money import usd
from finops.time_windows import BadWindow, read_window
from query_api.auth import within
from query_api.endpoints.general_costs import entries_gone
from query_api.exchange import Answer, Ask
from query_api.export_formats import Format, format_of
from query_api.exposition import Family, Sample
from query_api.parameters import filters_of
from query_api.problems import Fault, Problem, bad_request
from query_api.streaming import Pieces, begun

CALL = "call"
RETRY_SECONDS = "5"
_MONEY = "_pico"
_ENTRY_FIELDS = tuple(name for name in ExportedEntry._fields if name != "lines")
_AT_MONEY = tuple(at for at, name in enumerate(_ENTRY_FIELDS) if name.endswith(_MONEY))

Row = TypeVar("Row")


class ExportSource(Protocol):
    """What is asked of the ledger. Raises ``EntriesGone`` before the first piece."""

    def entries(self, question: ExportQuestion) -> AsyncGenerator[list[ExportedEntry], None]: ...
    def charges(self, question: ExportQuestion) -> AsyncGenerator[list[Charge], None]: ...
    def agent_days(self, question: ExportQuestion) -> AsyncGenerator[list[Charge], None]: ...


class Trail(Protocol):
    """Where it is kept who took what out."""

    async def note(
        self, *, at: datetime, actor: str, action: str, subject: str, org_id: str, after: object
    ) -> None: ...


class Limits(NamedTuple):
    """How much may be exported."""

    at_once: int
    days_max: int
    stall_seconds: float
    """How long a reader may take nothing before the export is broken off."""


def camel(name: str) -> str:
    """A field's name on the wire: cost_pico is costUsd."""
    first, *rest = (name.removesuffix(_MONEY) + "_usd" if name.endswith(_MONEY) else name).split("_")
    return first + "".join(word.capitalize() for word in rest)


def _kind(name: str) -> ColumnKind:
    hint = _ENTRY_HINTS[name]
    if name.endswith(_MONEY):
        return ColumnKind.USD
    return ColumnKind.INSTANT if hint is datetime else ColumnKind.TEXT if hint is str else ColumnKind.COUNT


_ENTRY_HINTS = get_type_hints(ExportedEntry)
ENTRY_COLUMNS = tuple(Named(camel(name), _kind(name)) for name in _ENTRY_FIELDS)


def entry_cells(entry: ExportedEntry) -> list[Any]:
    """An entry's cells, money in USD."""
    cells: list[Any] = list(entry[:-1])
    for at in _AT_MONEY:
        if cells[at] is not None:
            cells[at] = usd(cells[at])
    return cells


class ExportEndpoints:
    """Endpoints that stream. Each holds a connection of the exports' own pool, so only some run at once."""

    def __init__(self, source: ExportSource, trail: Trail, limits: Limits) -> None:
        self._source = source
        self._trail = trail
        self._limits = limits
        self._running = 0
        self._refused = 0
        self._rows = 0

    async def costs(self, ask: Ask) -> Answer:
        """Every entry of the window."""
        question = self._question(ask)
        return await self._streamed(ask, question, ENTRY_COLUMNS, self._source.entries(question), entry_cells)

    async def focus(self, ask: Ask) -> Answer:
        """Charges, by call or by agent and day."""
        question = self._question(ask)
        columns = focus_columns(ask.values["version"])
        unpriced = ask.values["unpriced"] == "include"

        def cells(charge: Charge) -> Sequence[Any] | None:
            return focus_row(columns, charge) if unpriced or charge.amount_pico is not None else None

        of = self._source.charges if ask.values["grain"] == CALL else self._source.agent_days
        named = [Named(column.name, column.kind) for column in columns]
        return await self._streamed(ask, question, named, of(question), cells)

    async def families(self, ask: Ask) -> list[Family]:
        """Metric families; they tell nothing about anyone's spend."""
        running, refused, rows = self._running, self._refused, self._rows
        return [
            Family("finops_exports_running", "gauge", "Exports being read now.", [Sample("", (), running)]),
            Family("finops_exports_refused", "counter", "Exports sent away.", [Sample("_total", (), refused)]),
            Family("finops_exported_rows", "counter", "Rows of exports sent.", [Sample("_total", (), rows)]),
        ]

    def _question(self, ask: Ask) -> ExportQuestion:
        try:
            window = read_window(ask.values["window"], ask.values["tz"], ask.now, self._limits.days_max)
        except BadWindow as bad:
            raise bad_request([Fault("query", "window", str(bad))]) from None
        return ExportQuestion(window, within(ask.grant, filters_of(ask.values)))

    async def _streamed(
        self,
        ask: Ask,
        question: ExportQuestion,
        columns: Sequence[Named],
        source: AsyncGenerator[list[Row], None],
        cells: Callable[[Row], Sequence[Any] | None],
    ) -> Answer:
        chosen = format_of(ask.values["format"], ask.accept, columns)
        if self._running >= self._limits.at_once:
            self._refused += 1
            detail = f"{self._running} exports are being read already"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, headers={"Retry-After": RETRY_SECONDS})
        try:
            pieces = await begun(self._file(chosen.file, source, cells))
        except EntriesGone as gone:
            raise entries_gone(gone) from None
        try:
            await self._note(ask, question)
        except BaseException:
            await pieces.aclose()
            raise
        name = f"{ask.route.rpartition('/')[2].partition('.')[0]}.{chosen.ending}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Answer(b"", chosen.media_type, headers=headers, pieces=pieces, stall_seconds=self._limits.stall_seconds)

    async def _file(
        self,
        file: Format,
        source: AsyncGenerator[list[Row], None],
        cells: Callable[[Row], Sequence[Any] | None],
    ) -> Pieces:
        self._running += 1
        try:
            async with aclosing(source):
                async for piece in source:
                    rows = [made for row in piece if (made := cells(row)) is not None]
                    self._rows += len(rows)
                    if content := await file.add(rows):
                        yield content
            yield await file.end()
        finally:
            self._running -= 1

    async def _note(self, ask: Ask, question: ExportQuestion) -> None:
        window, filters = question.window, question.filters
        said = {name: values for name, values in filters._asdict().items() if values is not None}
        after = {"from": window.start, "to": window.end, **said}
        orgs = filters.orgs or ()
        await self._trail.note(
            at=ask.now,
            actor=ask.grant.name,
            action=EXPORTED,
            subject=ask.route,
            org_id=orgs[0] if len(orgs) == 1 else "",
            after=after,
        )

"""Spend by any grouping over any window, page by page."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from finops.cost_questions import GROUPS, CostPage, CostQuestion, CostRow, EntriesGone, Place
from finops.ratios import share
from finops.reports import Stated, Totals
from finops.stored_text import storable
from finops.time_windows import BadWindow, TimeWindow, read_window, steps_of
from query_api.auth import within
from query_api.cost_answers import COST_ITEM, FIELD_OF_GROUP, OF_A_STEP, cost_page
from query_api.cursors import cursor_text, cursor_values, question_digest
from query_api.exchange import Answer, Ask, costs_told
from query_api.parameters import filters_of
from query_api.problems import Fault, Problem, bad_request, unprocessable

BY_COST = "cost"
_NUMBER_MAX = 2**63
_NOT_OURS = Fault("query", "cursor", "must be the nextCursor of the page before, of the same question")


class GeneralReport(Protocol):
    """What is asked of the ledger. Raises ``EntriesGone``."""

    async def costs(self, question: CostQuestion) -> Stated[CostPage]: ...


class Limits(NamedTuple):
    """How much may be asked at once. In days of a window."""

    days_max: int
    entries_days_max: int
    """Where sums do not know the groups."""


class Item(NamedTuple):
    """One row as it is told."""

    start: datetime
    day: date
    row: CostRow
    share: Decimal | None

    @property
    def totals(self) -> Totals:
        """Of the row."""
        return self.row.totals


class Told(NamedTuple):
    """The envelope."""

    items: Sequence[Item]
    page: CostPage
    window: TimeWindow
    complete_through: datetime
    next_cursor: str
    """'' where this was the last page."""

    @property
    def priced_calls(self) -> int:
        """Calls that the cost is the cost of."""
        return self.page.totals.calls - self.page.totals.unpriced_calls

    @property
    def priced_ratio(self) -> Decimal | None:
        """Priced calls of all; None without calls."""
        return share(self.priced_calls, self.page.totals.calls)


class GeneralCosts:
    """The endpoint /costs."""

    def __init__(self, report: GeneralReport, limits: Limits) -> None:
        self._report = report
        self._limits = limits

    async def costs(self, ask: Ask) -> Answer:
        """A page of groups, and the sums over all pages."""
        filters = within(ask.grant, filters_of(ask.values))
        values = ask.values
        digest = question_digest(*(values[name] for name in ("groupBy", "window", "step", "tz", "order")), filters)
        window, place = self._window(ask), None
        if values["cursor"] is not None:
            window, place = _resumed(values["cursor"], digest, values["tz"])
        question = CostQuestion(
            window=window,
            groups=frozenset(values["groupBy"]),
            steps=_steps(window, values["step"]),
            filters=filters,
            limit=values["limit"],
            dearest_first=values["order"] == BY_COST,
            after=place,
        )
        self._refuse_long(question)
        try:
            stated = await self._report.costs(question)
        except EntriesGone as gone:
            raise entries_gone(gone) from None
        named = [FIELD_OF_GROUP[name] for name in question.groups]
        page = cost_page(COST_ITEM.only(named if values["step"] is None else [*named, *OF_A_STEP]))
        return costs_told(page.render(_told(stated, question, digest)), stated, but="completeThrough")

    def _window(self, ask: Ask) -> TimeWindow:
        try:
            return read_window(ask.values["window"], ask.values["tz"], ask.now, self._limits.days_max)
        except BadWindow as bad:
            raise bad_request([Fault("query", "window", str(bad))]) from None

    def _refuse_long(self, question: CostQuestion) -> None:
        days_max = self._limits.entries_days_max
        if question.needs_entries and (question.window.end - question.window.start).days > days_max:
            detail = f"must not be longer than {days_max} days where spend is grouped by user or session"
            raise bad_request([Fault("query", "window", detail)])


def _steps(window: TimeWindow, step: str | None) -> tuple[datetime, ...]:
    if step is None:
        return (window.start,)
    try:
        return steps_of(window, step)
    except BadWindow as bad:
        raise bad_request([Fault("query", "step", f"the window {bad}")]) from None


def entries_gone(gone: EntriesGone) -> Problem:
    """422: the window begins before the entries that are kept."""
    since = gone.since.isoformat().replace("+00:00", "Z")
    detail = f"single calls are kept since {since}: begin there, or on a quarter hour and without user or session"
    return unprocessable([Fault("query", "window", detail)])


def _told(stated: Stated[CostPage], question: CostQuestion, digest: str) -> Told:
    page, zone = stated.answer, ZoneInfo(question.window.zone)
    items = []
    for row in page.rows:
        start = question.steps[row.step]
        part = share(row.totals.cost_pico, page.totals.cost_pico)
        items.append(Item(start, start.astimezone(zone).date(), row, part))
    place = page.next_place(dearest_first=question.dearest_first)
    cursor = None if place is None else cursor_text(digest, _cursor_of(question.window, place))
    return Told(items, page, question.window, stated.complete_through, cursor or "")


def _cursor_of(window: TimeWindow, place: Place) -> list[object]:
    return [window.start.isoformat(), window.end.isoformat(), place.step, str(place.cost_rank), *place.names]


def _resumed(cursor: str, digest: str, zone: str) -> tuple[TimeWindow, Place]:
    """The window and the place of a cursor: pages of one answer are about one window, whatever the time is now."""
    try:
        found, values = cursor_values(cursor)
        start, end, step, rank, *names = values
        window = TimeWindow(zone, _instant(start), _instant(end))
        if found != digest or len(names) != len(GROUPS) or not all(_is_name(name) for name in names):
            raise ValueError(cursor)
        if not (isinstance(step, int) and 0 <= step < 2**31 and isinstance(rank, str) and len(rank) < 40):
            raise ValueError(cursor)
        place = Place(step, int(rank), tuple(str(name) for name in names))
    except (ValueError, OverflowError):
        raise bad_request([_NOT_OURS]) from None
    return window, place


def _is_name(value: object) -> bool:
    return isinstance(value, str) and storable(value)


def _instant(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError(value)
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError(value)
    return found.astimezone(UTC)

"""Down to the single call: one session, one trace, and what became of everything that arrived."""

from typing import NamedTuple, Protocol

from finops.coverage import Fate, MoneyFate, fate_of_money, fate_of_spans
from finops.periods import Period
from finops.reports import Coverage, DrillDown, Filters, Stated
from query_api.auth import within
from query_api.drill_down_answers import COVERAGE, SESSION, TRACE
from query_api.exchange import Answer, Ask, costs_told
from query_api.parameters import filters_of, period_of
from query_api.problems import Fault, bad_request, not_found

TRACE_ID_DIGITS = 32


class DrillDowns(Protocol):
    """What is asked of the ledger about one session or trace."""

    async def session(self, session_id: str, filters: Filters) -> Stated[DrillDown]: ...
    async def trace(self, trace_id: bytes, filters: Filters) -> Stated[DrillDown]: ...


class CoverageReport(Protocol):
    """What is asked of the ledger about everything that arrived."""

    async def coverage(self, period: Period, filters: Filters) -> Stated[Coverage]: ...


class Drilled(NamedTuple):
    """A drill-down and what it is about."""

    id: str
    found: DrillDown


class Covered(NamedTuple):
    """The coverage report with its sums."""

    told: Coverage
    spans: Fate
    money: MoneyFate


class DrillDownEndpoints:
    """Endpoints over entries and spans."""

    def __init__(self, reports: DrillDowns, coverage: CoverageReport) -> None:
        self._reports = reports
        self._coverage = coverage

    async def session(self, ask: Ask) -> Answer:
        """One session's calls, prices and verdicts; 404 where nothing was seen of it."""
        session_id = ask.path["id"]
        stated = await self._reports.session(session_id, within(ask.grant, filters_of(ask.values)))
        if not stated.answer.calls:
            raise not_found("no such session")
        return costs_told(SESSION.render(Drilled(session_id, stated.answer)), stated)

    async def trace(self, ask: Ask) -> Answer:
        """One trace's calls, prices and verdicts; 404 where nothing was seen of it."""
        trace_id = ask.path["id"].lower()
        if len(trace_id) != TRACE_ID_DIGITS or not set(trace_id) <= set("0123456789abcdef"):
            raise bad_request([Fault("path", "id", f"must be {TRACE_ID_DIGITS} hexadecimal digits")])
        stated = await self._reports.trace(bytes.fromhex(trace_id), within(ask.grant, filters_of(ask.values)))
        unseen = not stated.answer.calls and (ask.grant.org_id is not None or not stated.answer.spans)
        if unseen:
            raise not_found("no such trace")
        return costs_told(TRACE.render(Drilled(trace_id, stated.answer)), stated)

    async def coverage(self, ask: Ask) -> Answer:
        """What became of every span, and what has no price."""
        filters = within(ask.grant, filters_of(ask.values))
        stated = await self._coverage.coverage(period_of(ask.values, ask.now), filters)
        covered = Covered(stated.answer, fate_of_spans(stated.answer), fate_of_money(stated.answer))
        return costs_told(COVERAGE.render(covered), stated)

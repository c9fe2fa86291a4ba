"""Which sessions spend how fast now, and which of them abnormally."""

from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from finops.anomalies import Judged, anomalies, fastest_first, judge
from finops.reports import Filters, SessionBurn, Stated
from query_api.answers import ANOMALY, BURN_RATE
from query_api.auth import within
from query_api.exchange import Answer, Ask, costs_told
from query_api.parameters import filters_of


class ActiveSessions(Protocol):
    """What is asked of the ledger."""

    async def active(
        self, now: datetime, window_seconds: int, idle_seconds: int, filters: Filters
    ) -> Stated[list[SessionBurn]]: ...


class BurnRules(NamedTuple):
    """How burning is judged."""

    window_seconds: int
    idle_seconds: int
    multiplier: Decimal


class Burning:
    """Endpoints over the sliding windows."""

    def __init__(self, sessions: ActiveSessions, rules: BurnRules) -> None:
        self._sessions = sessions
        self._rules = rules

    async def burn_rates(self, ask: Ask) -> Answer:
        """Every active session, the fastest first."""
        stated = await self._judged(ask)
        return costs_told(BURN_RATE.render_all(fastest_first(stated.answer)), stated)

    async def anomalies(self, ask: Ask) -> Answer:
        """Only the abnormal, the worst ratio first."""
        stated = await self._judged(ask)
        return costs_told(ANOMALY.render_all(anomalies(stated.answer)), stated)

    async def _judged(self, ask: Ask) -> Stated[list[Judged]]:
        rules, filters = self._rules, within(ask.grant, filters_of(ask.values))
        stated = await self._sessions.active(ask.now, rules.window_seconds, rules.idle_seconds, filters)
        judged = [judge(session, rules.window_seconds, rules.multiplier) for session in stated.answer]
        return Stated(judged, stated.complete_through, stated.pending_ranges)

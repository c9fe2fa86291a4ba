"""Which sessions spend how fast now, and which of them abnormally, now and before."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple, Protocol

from finops.anomalies import Anomaly
from finops.anomaly_rules import Rules
from finops.burn import anomaly_ratio, burn_rate_usd_per_hour
from finops.money import usd
from finops.reports import Fastest, Filters, SessionBurn, Stated
from query_api.auth import within
from query_api.burn_answers import ANOMALIES, ANOMALY, BURN_RATE
from query_api.exchange import Answer, Ask, costs_told, told
from query_api.paging import BURN_SESSIONS_MAX, BurnPosition, Page
from query_api.parameters import filters_of
from query_api.problems import Fault, bad_request

CURSOR_AGE_MAX = timedelta(hours=1)


class ActiveSessions(Protocol):
    """What is asked of the ledger about now."""

    async def active(
        self,
        now: datetime,
        window_seconds: int,
        idle_seconds: int,
        filters: Filters,
        *,
        limit: int,
        offset: int,
    ) -> Stated[Fastest]: ...


class Anomalies(Protocol):
    """What is asked of the ledger about the abnormal."""

    async def active(self, now: datetime, rules: Rules, filters: Filters) -> Stated[list[Anomaly]]: ...

    async def page(
        self, *, limit: int, before: int | None, filters: Filters, sessions: Sequence[str] | None, is_open: bool | None
    ) -> list[Anomaly]: ...


class BurnRules(NamedTuple):
    """How burning is judged."""

    idle_seconds: int
    rules: Rules


class Burn(NamedTuple):
    """One active session as it is told."""

    session: SessionBurn
    window_seconds: int
    burn_rate_usd_per_hour: Decimal | None
    baseline_usd_per_hour: Decimal | None
    ratio: Decimal | None


class Burning:
    """Endpoints over the sliding windows."""

    def __init__(self, sessions: ActiveSessions, anomalies: Anomalies, rules: BurnRules) -> None:
        self._sessions = sessions
        self._anomalies = anomalies
        self._rules = rules

    async def burn_rates(self, ask: Ask) -> Answer:
        """A page of the active sessions, the fastest first; every page as of the instant of the first one."""
        at = _position(ask)
        (idle, rules), limit = self._rules, ask.values["limit"]
        limit = min(limit, BURN_SESSIONS_MAX - at.offset)
        filters = within(ask.grant, filters_of(ask.values))
        stated = await self._sessions.active(at.now, rules.window_seconds, idle, filters, limit=limit, offset=at.offset)
        sessions, active = stated.answer
        burns = [_burn(session, rules.window_seconds) for session in sessions]
        answer = costs_told(BURN_RATE.render_all(burns), stated)
        paging = {"X-Finops-Active-Sessions": str(active)}
        after = at.offset + limit
        if len(sessions) == limit and after < min(active, BURN_SESSIONS_MAX):
            paging["X-Next-Cursor"] = str(at._replace(offset=after))
        return answer._replace(headers={**answer.headers, **paging})

    async def anomalies(self, ask: Ask) -> Answer:
        """What is abnormal now, the worst ratio first."""
        filters = within(ask.grant, filters_of(ask.values))
        stated = await self._anomalies.active(ask.now, self._rules.rules, filters)
        return costs_told(ANOMALY.render_all(stated.answer), stated)

    async def history(self, ask: Ask) -> Answer:
        """What was judged abnormal, the newest first."""
        values, limit = ask.values, ask.values["limit"]
        rows = await self._anomalies.page(
            limit=limit,
            before=values["cursor"],
            filters=within(ask.grant, filters_of(values)),
            sessions=values["sessionId"],
            is_open=values["state"],
        )
        return told(ANOMALIES, Page(rows, rows[-1].anomaly_id if len(rows) == limit else None))


def _position(ask: Ask) -> BurnPosition:
    at: BurnPosition = ask.values["cursor"] or BurnPosition(ask.now, 0)
    if not ask.now - CURSOR_AGE_MAX <= at.now <= ask.now + CURSOR_AGE_MAX or at.offset >= BURN_SESSIONS_MAX:
        raise bad_request([Fault("query", "cursor", "is too old, or of no page: begin again without it")])
    return at


def _burn(session: SessionBurn, window_seconds: int) -> Burn:
    rate = None if session.spend_pico is None else burn_rate_usd_per_hour(session.spend_pico, window_seconds)
    stated = session.baseline_pico_per_hour
    baseline = None if stated is None else usd(int(stated))
    return Burn(session, window_seconds, rate, baseline, anomaly_ratio(rate, baseline))

"""Who changed what: the audit trail, page by page."""

from collections.abc import Sequence
from typing import Protocol

from finops.audit import AuditRow
from query_api.auth import within
from query_api.exchange import Answer, Ask, told
from query_api.paging import Page
from query_api.parameters import filters_of
from query_api.rate_answers import AUDIT


class Trail(Protocol):
    """What is asked of the ledger."""

    async def page(
        self, *, limit: int, before: int | None, orgs: Sequence[str] | None, actions: Sequence[str] | None
    ) -> list[AuditRow]: ...


class AuditEndpoints:
    """Endpoints over the trail."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail

    async def page(self, ask: Ask) -> Answer:
        """The newest rows first; a token of one organisation sees only what was changed for that one."""
        limit, orgs = ask.values["limit"], within(ask.grant, filters_of(ask.values)).orgs
        rows = await self._trail.page(limit=limit, before=ask.values["cursor"], orgs=orgs, actions=ask.values["action"])
        return told(AUDIT, Page(rows, rows[-1].seq if len(rows) == limit else None))

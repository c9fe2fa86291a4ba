"""For how many days organisations keep the names of users and sessions."""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from finops.access import Grant
from finops.expiry import DAYS_MAX, DAYS_MIN, RetentionRule
from query_api.auth import keep_within, within
from query_api.bodies import BodyReader
from query_api.erasure_answers import RETENTION, retention_tag
from query_api.exchange import Answer, Ask, told_tagged
from query_api.parameters import filters_of
from query_api.problems import Fault, bad_request, not_found
from query_api.shapes import Schema
from query_api.wire import encode

FIELD = "identifierDays"
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": [FIELD],
    "properties": {
        "orgId": {"type": "string"},
        FIELD: {"type": "integer", "minimum": DAYS_MIN, "maximum": DAYS_MAX},
    },
}
_Holds = Callable[[RetentionRule | None], None]


class Rules(Protocol):
    """What is asked of the ledger."""

    async def all(self, orgs: Sequence[str] | None) -> list[RetentionRule]: ...
    async def put(
        self, org_id: str, identifier_days: int | None, actor: str, now: datetime, holds: _Holds
    ) -> RetentionRule | None: ...


class RetentionEndpoints:
    """Endpoints over the rules."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def all(self, ask: Ask) -> Answer:
        """By organisation, also of those that had a rule: what is gone is gone."""
        found = await self._rules.all(within(ask.grant, filters_of(ask.values)).orgs)
        return Answer(encode(RETENTION.render_all(found)))

    async def put(self, ask: Ask) -> Answer:
        """States a rule and answers it; names go behind the answer."""
        body = BodyReader(ask.body)
        org_id = body.text("orgId")
        keep_within(ask.grant, org_id or None)
        org_id = org_id or ask.grant.org_id or ""
        if not org_id:
            body.fault("orgId", "is required: this token is bound to no organisation")
        days = body.amount(FIELD, required=True)
        if days is not None and (days % 1 or not DAYS_MIN <= days <= DAYS_MAX):
            body.fault(FIELD, f"must be a whole number from {DAYS_MIN} to {DAYS_MAX}")
        body.finish()
        assert days is not None
        stored = await self._rules.put(org_id, int(days), ask.grant.name, ask.now, _condition(ask))
        assert stored is not None
        return told_tagged(RETENTION, stored, retention_tag(int(days)))

    async def delete(self, ask: Ask) -> Answer:
        """Takes a rule back; 404 where there is none. What has lost its name does not get it back."""
        org_id = _org(ask.grant, ask.values["orgId"])
        if await self._rules.put(org_id, None, ask.grant.name, ask.now, _condition(ask)) is None:
            raise not_found("no such rule")
        return Answer(b"", status=HTTPStatus.NO_CONTENT)


def _condition(ask: Ask) -> _Holds:
    def holds(before: RetentionRule | None) -> None:
        days = None if before is None else before.identifier_days
        ask.conditions.check(None if days is None else retention_tag(days))

    return holds


def _org(grant: Grant, asked: str | None) -> str:
    keep_within(grant, asked)
    org_id = asked or grant.org_id
    if not org_id:
        raise bad_request([Fault("query", "orgId", "is required: this token is bound to no organisation")])
    return org_id

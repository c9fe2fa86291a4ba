"""Identifiers of users and sessions, erased on request: what holds one, and the runs that replace it."""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol
from uuid import UUID

from finops.erasure import Erasure, ErasurePreview, ErasureRefused, ErasureRequest, Kind, TooManyErasures
from finops.spans import LedgerUnavailable
from finops.stored_text import storable
from query_api.auth import keep_within, within
from query_api.bodies import PROSE_LENGTH_MAX, BodyReader
from query_api.erasure_answers import ERASURE, ERASURE_ANSWER, ERASURES
from query_api.exchange import Answer, Ask, told
from query_api.paging import Page
from query_api.parameters import filters_of
from query_api.problems import Fault, Problem, not_found, unprocessable
from query_api.shapes import Schema

IDENTIFIER_LENGTH_MAX = 1024
_FIELDS = {"userId": Kind.USER, "sessionId": Kind.SESSION}
_TEXT: Schema = {"type": "string"}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "orgId": _TEXT,
        **{name: {"type": "string", "minLength": 1, "maxLength": IDENTIFIER_LENGTH_MAX} for name in _FIELDS},
        "apply": {"type": "boolean", "default": False},
        "reason": {"type": "string", "maxLength": PROSE_LENGTH_MAX},
    },
}


class Erasures(Protocol):
    """What is asked of the ledger."""

    async def preview(self, request: ErasureRequest) -> ErasurePreview: ...
    async def start(self, request: ErasureRequest, now: datetime, *, actor: str, reason: str) -> str:
        """Raises ``ErasureRefused`` and ``TooManyErasures``."""

    async def advance(self, erasure_id: str, now: Callable[[], datetime]) -> None: ...
    async def one(self, erasure_id: UUID, orgs: Sequence[str] | None) -> Erasure | None: ...
    async def page(self, *, limit: int, before: int | None, orgs: Sequence[str] | None) -> list[Erasure]: ...


class ErasureAnswer(NamedTuple):
    """What held the identifier, and the run that replaces it, if that was asked for."""

    request: ErasureRequest
    found: ErasurePreview | None
    """None: it was too much to be counted in time."""
    erasure: Erasure | None = None

    @property
    def applied(self) -> bool:
        """Whether it is more than a preview."""
        return self.erasure is not None


class ErasureEndpoints:
    """Endpoints over the erasures. ``now`` is the clock: each step of a run has its own time."""

    def __init__(self, erasures: Erasures, now: Callable[[], datetime]) -> None:
        self._erasures = erasures
        self._now = now

    async def page(self, ask: Ask) -> Answer:
        """The newest first; a token of one organisation sees that one's."""
        limit, orgs = ask.values["limit"], within(ask.grant, filters_of(ask.values)).orgs
        rows = await self._erasures.page(limit=limit, before=ask.values["cursor"], orgs=orgs)
        return told(ERASURES, Page(rows, rows[-1].number if len(rows) == limit else None))

    async def one(self, ask: Ask) -> Answer:
        """How far one has come."""
        orgs = None if ask.grant.org_id is None else (ask.grant.org_id,)
        try:
            found = await self._erasures.one(UUID(ask.path["id"]), orgs)
        except ValueError:
            found = None
        if found is None:
            raise not_found("no such erasure")
        return told(ERASURE, found)

    async def post(self, ask: Ask) -> Answer:
        """A preview, or the erasure as far as one request goes; the rest is done behind the answer."""
        request, apply, reason = _asked(ask)
        if not apply:
            return told(ERASURE_ANSWER, ErasureAnswer(request, await self._erasures.preview(request)))
        found = await self._found(request)
        try:
            erasure_id = await self._erasures.start(request, ask.now, actor=ask.grant.name, reason=reason)
        except ErasureRefused as refused:
            raise unprocessable([Fault("body", "sessionId", str(refused))]) from None
        except TooManyErasures as many:
            detail = f"{many} erasures are not finished (FINOPS_ERASURES_OPEN_MAX): try again later"
            raise Problem(HTTPStatus.CONFLICT, detail) from None
        await self._erasures.advance(erasure_id, self._now)
        erasure = await self._erasures.one(UUID(erasure_id), None)
        return told(ERASURE_ANSWER, ErasureAnswer(request, found, erasure))

    async def _found(self, request: ErasureRequest) -> ErasurePreview | None:
        try:
            return await self._erasures.preview(request)
        except LedgerUnavailable:
            return None


def _asked(ask: Ask) -> tuple[ErasureRequest, bool, str]:
    """The request, whether it is to be applied, and why."""
    body = BodyReader(ask.body)
    org_id = body.text("orgId")
    keep_within(ask.grant, org_id or None)
    if not org_id and ask.grant.org_id is None:
        body.fault("orgId", "is required: this token is bound to no organisation")
    given = {field: body.tree(field) for field in _FIELDS}
    apply, reason = body.flag("apply"), body.text("reason", length_max=PROSE_LENGTH_MAX)
    named = [(field, value) for field, value in given.items() if value is not None]
    if len(named) != 1:
        body.fault("userId", "or sessionId is required, and not both")
    field, identifier = named[0] if named else ("userId", "")
    if named and not (
        isinstance(identifier, str) and 0 < len(identifier) <= IDENTIFIER_LENGTH_MAX and storable(identifier)
    ):
        body.fault(field, f"must be text of 1 to {IDENTIFIER_LENGTH_MAX} characters that can be stored")
    elif named and str(identifier) in reason:
        body.fault("reason", "must not hold the identifier: reasons are kept for good")
    body.finish()
    return ErasureRequest(org_id or ask.grant.org_id or "", _FIELDS[field], str(identifier)), apply, reason

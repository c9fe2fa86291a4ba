"""Who asks: bearer tokens by their hash, remembered for a few seconds. What a token may do is said by ``finops``."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol

from finops.access import TOKEN_CHARACTERS_MAX, Grant, NoToken, Scope, bearer_of, looks_like_a_jwt, token_digest
from finops.reports import Filters
from finops.spans import LedgerUnavailable
from query_api.pace import Paces
from query_api.problems import Fault, Problem

REMEMBERED_SECONDS = 3.0
"""A revoked token stops working within this time."""
FRESH_SECONDS = 1.0
"""After it a token that is used is looked up again behind the answer, so that nobody waits for it."""
REMEMBERED_MAX = 1024
"""Valid tokens remembered at once; the longest unused is forgotten."""

_log = logging.getLogger("query_api")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="agent-finops"'}


class Tokens(Protocol):
    """Where tokens are known."""

    async def grant(self, digest: bytes) -> Grant | None:
        """What the token with this SHA-256 allows now, or None."""


class Bearers(Protocol):
    """Who knows tokens that nobody stored."""

    async def grant(self, token: str) -> Grant:
        """What a JWT allows now; raises a 401 or 503 problem."""


class Gate:
    """Lets a request pass whose token has the scope its route declares. Unknown tokens are never remembered.

    With an ``issuer``, what looks like a JWT is its to know, and all else is looked up as ever.
    """

    def __init__(
        self,
        tokens: Tokens,
        monotonic: Callable[[], float],
        paces: Paces | None = None,
        issuer: Bearers | None = None,
    ) -> None:
        self._issuer = issuer
        self._tokens = tokens
        self._paces = paces
        self._monotonic = monotonic
        self._remembered: OrderedDict[bytes, _Known] = OrderedDict()
        self._looking: dict[bytes, asyncio.Task[Grant | None]] = {}

    async def admit(self, authorizations: Sequence[str], scope: Scope) -> Grant:
        """The grant of the request; raises a 401, 403 or 429 problem."""
        grant = await self._grant(_bearer(authorizations))
        if grant is None:
            raise unauthorized("the token is unknown, expired or revoked")
        if self._paces is not None:
            self._paces.take(grant.name, decides=scope is Scope.DECIDE)
        if not grant.allows(scope):
            raise Problem(HTTPStatus.FORBIDDEN, f"this token does not have the scope {scope.value}")
        return grant

    async def _grant(self, token: str) -> Grant | None:
        digest = token_digest(token)
        known = self._remembered.get(digest)
        if known is not None and (age := self._monotonic() - known.looked_up_at) < REMEMBERED_SECONDS:
            self._remembered.move_to_end(digest)
            if age > FRESH_SECONDS and digest not in self._looking:
                self._look_up(token, digest).add_done_callback(_tell_of_a_fault)
            return known.grant
        return await asyncio.shield(self._looking.get(digest) or self._look_up(token, digest))

    def _look_up(self, token: str, digest: bytes) -> "asyncio.Task[Grant | None]":
        """One at a time for each token, however many ask."""
        task = asyncio.get_running_loop().create_task(self._look_up_and_keep(token, digest))
        self._looking[digest] = task
        return task

    async def _look_up_and_keep(self, token: str, digest: bytes) -> Grant | None:
        began, grant = self._monotonic(), None
        try:
            if self._issuer is not None and looks_like_a_jwt(token):
                grant = await self._issuer.grant(token)
            elif len(token) <= TOKEN_CHARACTERS_MAX:
                grant = await self._tokens.grant(digest)
            if grant is None:
                self._remembered.pop(digest, None)
                return None
            self._remembered[digest] = _Known(began, grant)
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
            return grant
        except Problem:
            self._remembered.pop(digest, None)
            raise
        finally:
            del self._looking[digest]


class _Known(NamedTuple):
    """A token that was looked up."""

    looked_up_at: float
    grant: Grant


def _tell_of_a_fault(task: "asyncio.Task[Grant | None]") -> None:
    """Behind an answer nobody waits for it; who asks next will."""
    fault = None if task.cancelled() else task.exception()
    if fault is not None and not isinstance(fault, LedgerUnavailable | Problem):
        _log.error("a token could not be looked up again: %s", type(fault).__name__, exc_info=fault)


def within(grant: Grant, filters: Filters) -> Filters:
    """The filters, narrowed to the organisation the token is bound to; raises a 403 problem where they ask for more."""
    if grant.org_id is None:
        return filters
    if filters.orgs is not None and set(filters.orgs) != {grant.org_id}:
        raise other_organisation(grant)
    return filters._replace(orgs=(grant.org_id,))


def keep_within(grant: Grant, asked: object) -> None:
    """Raises a 403 problem where ``orgId``, one or several, names another organisation than the token is bound to."""
    named = (asked,) if isinstance(asked, str) else tuple(asked) if isinstance(asked, tuple | list) else ()
    if grant.org_id is not None and any(org != grant.org_id for org in named):
        raise other_organisation(grant)


def other_organisation(grant: Grant) -> Problem:
    """403: the token belongs to one organisation and the request is about another."""
    fault = Fault("query", "orgId", f"must be {grant.org_id}: this token is bound to it")
    return Problem(HTTPStatus.FORBIDDEN, "this token is bound to another organisation", [fault])


def unauthorized(detail: str) -> Problem:
    """401: no valid token."""
    return Problem(HTTPStatus.UNAUTHORIZED, detail, headers=_CHALLENGE)


def _bearer(authorizations: Sequence[str]) -> str:
    try:
        return bearer_of(authorizations)
    except NoToken as fault:
        detail = f"{fault}: send one header Authorization: Bearer <token>; `agent-finops token show` prints one"
        raise unauthorized(detail) from None

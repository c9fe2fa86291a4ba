"""Who asks: bearer tokens by their hash, remembered for a few seconds. What a token may do is said by ``finops``."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Protocol

from finops.access import TOKEN_CHARACTERS_MAX, Grant, NoToken, Scope, bearer_of, looks_like_a_jwt, token_digest
from finops.reports import Filters
from query_api.pace import Paces
from query_api.problems import Fault, Problem

REMEMBERED_SECONDS = 3.0
"""A revoked token stops working within this time."""
REMEMBERED_MAX = 1024
"""Valid tokens remembered at once; the longest unused is forgotten."""

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
        self._remembered: OrderedDict[bytes, tuple[float, Grant]] = OrderedDict()

    async def admit(self, authorizations: Sequence[str], scope: Scope) -> Grant:
        """The grant of the request; raises a 401, 403 or 429 problem."""
        grant = await self._grant(_bearer(authorizations))
        if grant is None:
            raise unauthorized("the token is unknown, expired or revoked")
        if self._paces is not None:
            self._paces.take(grant.name)
        if not grant.allows(scope):
            raise Problem(HTTPStatus.FORBIDDEN, f"this token does not have the scope {scope.value}")
        return grant

    async def _grant(self, token: str) -> Grant | None:
        now, digest = self._monotonic(), token_digest(token)
        found = self._remembered.get(digest)
        if found is not None and now < found[0]:
            self._remembered.move_to_end(digest)
            return found[1]
        self._remembered.pop(digest, None)
        if self._issuer is not None and looks_like_a_jwt(token):
            grant: Grant | None = await self._issuer.grant(token)
        else:
            grant = await self._tokens.grant(digest) if len(token) <= TOKEN_CHARACTERS_MAX else None
        if grant is not None:
            self._remembered[digest] = (now + REMEMBERED_SECONDS, grant)
            if len(self._remembered) > REMEMBERED_MAX:
                self._remembered.popitem(last=False)
        return grant


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

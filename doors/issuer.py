"""Bearer JWTs of an OpenID Connect issuer: who signed them, for whom, until when, and what they allow here."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import json_b64decode

from doors.issuer_keys import Event, IssuerKeys, Note, Unreachable
from doors.issuer_settings import IssuerSettings
from finops.access import Grant, Scope
from finops.stored_text import NAME_LENGTH_MAX, storable

_BROKEN = (JoseError, ValueError, TypeError, ArithmeticError, RecursionError)
_SCOPES = {scope.value for scope in Scope}


class Refused(Exception):
    """The token is not let in; the message says why, and nothing of what was in it."""


class Issuer:
    """Knows its tokens by their signature."""

    def __init__(self, settings: IssuerSettings, keys: IssuerKeys, now: Callable[[], datetime], note: Note) -> None:
        self._settings = settings
        self._now = now
        self._note = note
        self._registry = JWSRegistry(algorithms=list(settings.algorithms), strict_check_header=False)
        self.keys = keys

    async def grant(self, token: str) -> Grant:
        """What the token allows. Raises ``Refused``, or ``Unreachable`` where the issuer's keys cannot be had."""
        try:
            claims = await self._signed(token)
            self._check(claims)
            found = Grant(f"oidc:{_name(claims, 'sub')}", self._scopes(claims), self._org(claims))
        except Refused:
            self._note(Event.REFUSED)
            raise
        except Unreachable:
            self._note(Event.UNDECIDED)
            raise
        self._note(Event.GOOD)
        return found

    async def _signed(self, token: str) -> dict[str, Any]:
        try:
            header = json_b64decode(token.partition(".")[0].encode("ascii"))
            if not isinstance(header, dict) or header.get("alg") not in self._settings.algorithms:
                raise Refused("the token is signed in a way that is not allowed here")
            name = header.get("kid")
            key = await self.keys.key(None if name is None else str(name))
            if key is None:
                raise Refused("the token is signed with a key that its issuer does not have")
            return jwt.decode(token, key, registry=self._registry).claims
        except _BROKEN:
            raise Refused("the token is no JWT, or its signature is not good") from None

    def _check(self, claims: dict[str, Any]) -> None:
        settings = self._settings
        wanted = JWTClaimsRegistry(
            now=int(self._now().timestamp()),
            leeway=settings.leeway_seconds,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            wanted.validate(claims)
        except ExpiredTokenError:
            raise Refused("the token has expired") from None
        except ClaimError as fault:
            raise Refused(f"the token is not for here or not for now: {fault.claim}") from None
        except _BROKEN:
            raise Refused("the claims of the token cannot be read") from None

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        said, prefix = claims.get(self._settings.scopes_claim), self._settings.scope_prefix
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        own = [word.removeprefix(prefix) for word in words if isinstance(word, str) and word.startswith(prefix)]
        return frozenset(word for word in own if word in _SCOPES)

    def _org(self, claims: dict[str, Any]) -> str | None:
        return None if self._settings.org_claim is None else _name(claims, self._settings.org_claim)


def _name(claims: dict[str, Any], claim: str) -> str:
    said = claims.get(claim)
    if not isinstance(said, str) or not said.strip() or len(said) > NAME_LENGTH_MAX or not storable(said):
        raise Refused(f"the claim {claim} of the token is not a name of 1 to {NAME_LENGTH_MAX} characters")
    return said.strip()

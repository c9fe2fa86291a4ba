"""Bearer JWTs of an OpenID Connect issuer: who signed them, for whom, until when, and what they allow here."""

from collections.abc import Callable, Collection
from datetime import datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry
from joserfc.util import json_b64decode

from finops.access import Grant, Scope
from query_api.auth import unauthorized
from query_api.bodies import NAME_LENGTH_MAX, storable
from query_api.issuer_keys import IssuerKeys, Unreachable
from query_api.problems import Problem

RETRY_SECONDS = 10
_BROKEN = (JoseError, ValueError, TypeError, ArithmeticError, RecursionError)
_SCOPES = {scope.value for scope in Scope}


class Expected(NamedTuple):
    """What a token must say."""

    issuer: str
    audience: str
    algorithms: Collection[str]
    scopes_claim: str
    org_claim: str | None
    """None: tokens name no organisation and hold for all of them."""
    leeway_seconds: int


class Issuer:
    """Knows its tokens by their signature. What it does not know is a 401 that says why, never what was in it."""

    def __init__(self, expected: Expected, keys: IssuerKeys, now: Callable[[], datetime]) -> None:
        self._expected = expected
        self._keys = keys
        self._now = now
        self._registry = JWSRegistry(algorithms=list(expected.algorithms), strict_check_header=False)

    async def grant(self, token: str) -> Grant:
        """What the token allows. Raises a 401 problem, or 503 where the issuer's keys cannot be had."""
        claims = await self._signed(token)
        self._check(claims)
        return Grant(f"oidc:{_name(claims, 'sub')}", self._scopes(claims), self._org(claims))

    async def _signed(self, token: str) -> dict[str, Any]:
        try:
            header = json_b64decode(token.partition(".")[0].encode("ascii"))
            if not isinstance(header, dict) or header.get("alg") not in self._expected.algorithms:
                raise unauthorized("the token is signed in a way that is not allowed here")
            name = header.get("kid")
            key = await self._keys.key(None if name is None else str(name))
            if key is None:
                raise unauthorized("the token is signed with a key that its issuer does not have")
            return jwt.decode(token, key, registry=self._registry).claims
        except Unreachable as fault:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(fault), headers=headers) from None
        except _BROKEN:
            raise unauthorized("the token is no JWT, or its signature is not good") from None

    def _check(self, claims: dict[str, Any]) -> None:
        expected = self._expected
        wanted = JWTClaimsRegistry(
            now=int(self._now().timestamp()),
            leeway=expected.leeway_seconds,
            iss={"essential": True, "value": expected.issuer},
            aud={"essential": True, "value": expected.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            wanted.validate(claims)
        except ExpiredTokenError:
            raise unauthorized("the token has expired") from None
        except ClaimError as fault:
            raise unauthorized(f"the token is not for here or not for now: {fault.claim}") from None
        except _BROKEN:
            raise unauthorized("the claims of the token cannot be read") from None

    def _scopes(self, claims: dict[str, Any]) -> frozenset[str]:
        said = claims.get(self._expected.scopes_claim)
        words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
        return frozenset(word for word in words if isinstance(word, str) and word in _SCOPES)

    def _org(self, claims: dict[str, Any]) -> str | None:
        return None if self._expected.org_claim is None else _name(claims, self._expected.org_claim)


def _name(claims: dict[str, Any], claim: str) -> str:
    said = claims.get(claim)
    if not isinstance(said, str) or not said.strip() or len(said) > NAME_LENGTH_MAX or not storable(said):
        raise unauthorized(f"the claim {claim} of the token is not a name of 1 to {NAME_LENGTH_MAX} characters")
    return said.strip()

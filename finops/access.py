"""What a token may do: scopes, and the organisation it is bound to. Default is no."""

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

TOKEN_CHARACTERS_MAX = 512
"""Of a stored token."""
JWT_CHARACTERS_MAX = 8192


class Scope(StrEnum):
    """One kind of thing a token may do. The values are stored with tokens: never rename one."""

    INGEST = "ingest"
    """Send spans."""
    READ = "read"
    """Read every cost answer."""
    METRICS = "metrics:read"
    """Scrape /actuator/prometheus."""
    RATES = "rates:write"
    """Put valuation rates."""
    BASELINES = "baselines:write"
    """Put and delete baselines."""
    BUDGETS = "budgets:write"
    """Put and delete budgets."""
    DECIDE = "budgets:decide"
    """Ask whether a call may be made."""
    ALERTS = "alerts:write"
    """Say where alerts go, try it, and silence alerts."""
    PRIVACY = "privacy:write"
    """Erase identifiers, and say how long an organisation's are kept."""
    ADMIN = "admin"
    """Everything."""


class Grant(NamedTuple):
    """What one valid token allows."""

    name: str
    """Name of the token, for audit; never the token."""
    scopes: frozenset[str]
    org_id: str | None = None
    """None: every organisation."""

    def allows(self, scope: Scope) -> bool:
        """Whether this token may do what ``scope`` guards. A reader may also scrape and ask budgets."""
        if Scope.ADMIN in self.scopes or scope in self.scopes:
            return True
        return scope in (Scope.METRICS, Scope.DECIDE) and Scope.READ in self.scopes


def token_digest(secret: str) -> bytes:
    """What is stored of a token and looked up: its SHA-256 (32 bytes). A token is 256 random bits and needs no salt."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class NoToken(ValueError):
    """No bearer token was sent; the message says what was, without repeating it."""


def bearer_of(authorizations: Sequence[str]) -> str:
    """The token of a request's Authorization headers. Raises ``NoToken``, also where there are two."""
    if len(authorizations) > 1:
        raise NoToken("more than one Authorization header was sent")
    kind, _, token = next(iter(authorizations), "").strip().partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token:
        raise NoToken("no bearer token was sent")
    if len(token) > JWT_CHARACTERS_MAX:
        raise NoToken(f"the token is longer than {JWT_CHARACTERS_MAX} characters")
    return token


def looks_like_a_jwt(token: str) -> bool:
    """Three parts, of which the first is base64 of what begins with a brace and a quote."""
    return token.startswith("eyJ") and token.count(".") == 2

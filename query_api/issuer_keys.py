"""The public keys of an OpenID Connect issuer: fetched when needed, remembered, and asked for at a bounded rate.

A key that is not known is looked for again, since issuers rotate theirs, but not more often than once in
``REFETCH_SECONDS``: anybody can send tokens with made-up names of keys. An issuer that is away for a while locks nobody
out whose key is remembered. No redirects, no proxy of the environment; what is too large is not read.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpcore2
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from query_api.settings_values import secure_url

FRESH_SECONDS = 600.0
"""After it the keys are fetched again; a key that the issuer took back is good for so long."""
STALE_SECONDS = 86_400.0
"""For which keys serve while the issuer cannot be reached."""
REFETCH_SECONDS = 10.0
"""Between two tries to fetch, whatever tokens come."""
FETCH_SECONDS = 5.0
DOCUMENT_BYTES_MAX = 256 * 1024
KEYS_MAX = 100
"""Keys of one issuer; the rest is not looked at."""
DISCOVERY = "/.well-known/openid-configuration"

Fetch = Callable[[str], Awaitable[object]]
"""The JSON at an address; raises ``Unreachable``."""
_log = logging.getLogger("query_api")


class Unreachable(Exception):
    """The issuer's keys cannot be had now; the message says why."""


class IssuerKeys:
    """The keys of one issuer by their names. ``keys_url`` None: whatever the issuer's discovery document says."""

    def __init__(self, issuer: str, keys_url: str | None, monotonic: Callable[[], float], fetch: Fetch) -> None:
        self._issuer = issuer
        self._keys_url = keys_url
        self._monotonic = monotonic
        self._fetch = fetch
        self._keys: dict[str, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def key(self, name: str | None) -> Key | None:
        """The key of this name, or the only one where a token names none. Raises ``Unreachable``."""
        if self._wanting(name):
            async with self._one_at_a_time:
                if self._wanting(name) and self._older(self._tried_at, REFETCH_SECONDS):
                    await self._refetch()
        if self._older(self._fetched_at, STALE_SECONDS):
            raise Unreachable("the keys of the tokens' issuer cannot be fetched")
        return self._known(name)

    def _known(self, name: str | None) -> Key | None:
        if name is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(name)

    def _wanting(self, name: str | None) -> bool:
        return self._known(name) is None or self._older(self._fetched_at, FRESH_SECONDS)

    def _older(self, at: float | None, seconds: float) -> bool:
        return at is None or self._monotonic() - at >= seconds

    async def _refetch(self) -> None:
        self._tried_at = self._monotonic()
        try:
            self._keys = usable_keys(await self._fetch(await self._address()))
        except Unreachable as fault:
            _log.warning("the keys of %s cannot be fetched: %s", self._issuer, fault)
        else:
            self._fetched_at = self._monotonic()

    async def _address(self) -> str:
        if self._keys_url is not None:
            return self._keys_url
        found = await self._fetch(self._issuer.rstrip("/") + DISCOVERY)
        if not isinstance(found, dict) or found.get("issuer") != self._issuer:
            raise Unreachable("its discovery document is of another issuer")
        try:
            return secure_url(str(found.get("jwks_uri")))
        except ValueError as fault:
            raise Unreachable(f"jwks_uri of its discovery document {fault}") from None


def usable_keys(document: object) -> dict[str, Key]:
    """Public keys for signatures by name; those that are anything else, or nothing at all, are left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unreachable("what it serves is no set of keys")
    found: dict[str, Key] = {}
    for one in listed[:KEYS_MAX]:
        key = _usable(one)
        if key is not None:
            found.setdefault(str(key.kid), key)
    return found


def _usable(one: Any) -> Key | None:
    if not isinstance(one, Mapping) or one.get("kty") not in ("RSA", "EC", "OKP") or one.get("use", "sig") != "sig":
        return None
    try:
        key = import_key(dict(one))
        key.ensure_kid()
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


async def fetched(url: str) -> object:
    """The JSON at an address of the operator's choice. Raises ``Unreachable``."""
    try:
        async with asyncio.timeout(FETCH_SECONDS):
            return msgspec.json.decode(await _content(url))
    except (TimeoutError, OSError, UnicodeError, msgspec.DecodeError, RecursionError) as fault:
        raise Unreachable(type(fault).__name__) from None
    except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as fault:
        raise Unreachable(type(fault).__name__) from None


async def _content(url: str) -> bytes:
    content = bytearray()
    async with (
        httpcore2.AsyncConnectionPool(ssl_context=ssl.create_default_context()) as pool,
        pool.stream("GET", url, headers={"Accept": "application/json", "User-Agent": "agent-finops"}) as answer,
    ):
        if answer.status != 200:
            raise Unreachable(f"status {answer.status}")
        async for piece in answer.aiter_stream():
            content += piece
            if len(content) > DOCUMENT_BYTES_MAX:
                raise Unreachable(f"more than {DOCUMENT_BYTES_MAX} bytes")
    return bytes(content)

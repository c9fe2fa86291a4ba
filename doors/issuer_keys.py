"""The public keys of an OpenID Connect issuer: fetched when needed, remembered, and asked for at a bounded rate.

A key that is not known is looked for again, since issuers rotate theirs, but not more often than once in
``refetch_seconds``: anybody can send tokens with made-up names of keys. An issuer that is away for a while locks nobody
out whose key is remembered, and one that is slow keeps nobody waiting whose key is. No redirects, no proxy of the
environment; what is too large is not read.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

import httpcore2
import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key

from doors.issuer_settings import IssuerSettings, secure_url

DISCOVERY = "/.well-known/openid-configuration"
PATIENCE_SECONDS = 0.5
"""For newer keys, where the key that is wanted is known."""

Fetch = Callable[[str], Awaitable[object]]
"""The JSON at an address; raises ``Unreachable``."""
_log = logging.getLogger("doors.issuer")


class Event(StrEnum):
    """What is counted."""

    FETCHED = "fetched"
    FAILED = "failed"
    """To fetch the keys."""
    GOOD = "good"
    """A token that is let in."""
    REFUSED = "refused"
    UNDECIDED = "undecided"
    """A token that cannot be judged, because there are no keys."""


Note = Callable[[Event], None]


class Unreachable(Exception):
    """The issuer's keys cannot be had now; the message says why."""


class IssuerKeys:
    """The keys of one issuer by their names."""

    def __init__(self, settings: IssuerSettings, monotonic: Callable[[], float], fetch: Fetch, note: Note) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._fetch = fetch
        self._note = note
        self._keys: dict[str, Key] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def age_seconds(self) -> float:
        """Since the keys were fetched; 0 where there are none."""
        return 0.0 if self._fetched_at is None else self._monotonic() - self._fetched_at

    async def key(self, name: str | None) -> Key | None:
        """The key of this name, or the only one where a token names none. Raises ``Unreachable``."""
        if self._wanting(name):
            await self._look_again(None if self._known(name) is None else PATIENCE_SECONDS)
        if self._older(self._fetched_at, self._settings.stale_seconds):
            raise Unreachable("the keys of the tokens' issuer cannot be fetched")
        return self._known(name)

    def _known(self, name: str | None) -> Key | None:
        if name is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(name)

    def _wanting(self, name: str | None) -> bool:
        return self._known(name) is None or self._older(self._fetched_at, self._settings.fresh_seconds)

    def _older(self, at: float | None, seconds: float) -> bool:
        return at is None or self._monotonic() - at >= seconds

    async def _look_again(self, patience_seconds: float | None) -> None:
        """Waits for one fetch at most, whoever began it; it goes on when whoever waits goes away."""
        if self._fetching is None or self._fetching.done():
            if not self._older(self._tried_at, self._settings.refetch_seconds):
                return
            self._tried_at = self._monotonic()
            self._fetching = asyncio.create_task(self._refetch())
        await asyncio.wait([self._fetching], timeout=patience_seconds)

    async def _refetch(self) -> None:
        try:
            self._keys = usable_keys(await self._fetch(await self._address()), self._settings.keys_max)
        except Unreachable as fault:
            self._note(Event.FAILED)
            _log.warning("the keys of %s cannot be fetched: %s", self._settings.issuer, fault)
        else:
            self._note(Event.FETCHED)
            self._fetched_at = self._monotonic()

    async def _address(self) -> str:
        if self._settings.keys_url is not None:
            return self._settings.keys_url
        found = await self._fetch(self._settings.issuer.rstrip("/") + DISCOVERY)
        if not isinstance(found, dict) or found.get("issuer") != self._settings.issuer:
            raise Unreachable("its discovery document is of another issuer")
        try:
            return secure_url(str(found.get("jwks_uri")))
        except ValueError as fault:
            raise Unreachable(f"jwks_uri of its discovery document {fault}") from None


def usable_keys(document: object, keys_max: int) -> dict[str, Key]:
    """Public keys for signatures by name; those that are anything else, or nothing at all, are left out."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise Unreachable("what it serves is no set of keys")
    found: dict[str, Key] = {}
    for one in listed[:keys_max]:
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


def fetcher(settings: IssuerSettings) -> Fetch:
    """Fetches the JSON at an address of the operator's or the issuer's choice."""

    async def fetched(url: str) -> object:
        try:
            async with asyncio.timeout(settings.fetch_ms_max / 1000):
                return msgspec.json.decode(await _content(url, settings.document_bytes_max))
        except (TimeoutError, OSError, UnicodeError, msgspec.DecodeError, RecursionError) as fault:
            raise Unreachable(type(fault).__name__) from None
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as fault:
            raise Unreachable(type(fault).__name__) from None

    return fetched


async def _content(url: str, bytes_max: int) -> bytes:
    content = bytearray()
    async with (
        httpcore2.AsyncConnectionPool(ssl_context=ssl.create_default_context()) as pool,
        pool.stream("GET", url, headers={"Accept": "application/json", "User-Agent": "agent-finops"}) as answer,
    ):
        if answer.status != 200:
            raise Unreachable(f"status {answer.status}")
        async for piece in answer.aiter_stream():
            content += piece
            if len(content) > bytes_max:
                raise Unreachable(f"more than {bytes_max} bytes")
    return bytes(content)

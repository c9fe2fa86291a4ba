"""Who is sending: from a bearer token to a tenant, asked before the body is read.

Where no ingest token exists the door is open and the tenant is ''. Answers of the ledger are remembered for a short
while, in a bounded cache, by the full digest of the token; and for longer while the ledger cannot be asked, because
then nobody can have revoked a token either. With an issuer of bearer JWTs the door is never open, and what looks
like a JWT is the issuer's to know; those answers are not kept any longer while it cannot be asked.
"""

import asyncio
import binascii
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from collector.otlp_status import Answer, Answers, Outcome, refuse
from finops.access import (
    TOKEN_CHARACTERS_MAX,
    Grant,
    NoToken,
    Scope,
    bearer_of,
    looks_like_a_jwt,
    token_digest,
)
from finops.spans import LedgerUnavailable

CACHED_TOKENS_MAX = 10_000
CACHED_SECONDS = 3.0
STALE_SECONDS_MAX = 3600.0
"""So long an answer holds while the ledger cannot be asked."""
ASK_AGAIN_SECONDS = 1.0
"""After the ledger could not be asked."""
EVERYBODY = ""
T = TypeVar("T")


class IngestTokens(Protocol):
    """What the ledger knows of tokens. Both raise ``LedgerUnavailable`` while it cannot be asked."""

    async def grant(self, digest: bytes) -> Grant | None:
        """What the token of this SHA-256 allows now."""
        ...

    async def any_ingest(self) -> bool:
        """Whether a valid token made for sending exists."""
        ...


class NotLetIn(Exception):
    """A JWT is not let in; the message says why, and nothing of what was in it."""


class Bearers(Protocol):
    """Who knows tokens that nobody stored."""

    async def grant(self, token: str) -> Grant:
        """What a JWT allows now. Raises ``NotLetIn``, or ``LedgerUnavailable`` while it cannot be told."""
        ...


class _Remembered(NamedTuple):
    grant: Grant | None
    asked: float
    until: float
    why: str = ""
    """Why not."""


class Senders:
    """The door-keeper. ``monotonic`` is a clock in seconds; the ledger gets ``ask_seconds_max`` for an answer."""

    def __init__(
        self,
        tokens: IngestTokens | None,
        answers: Answers,
        monotonic: Callable[[], float],
        *,
        required: bool,
        ask_seconds_max: float,
        issuer: Bearers | None = None,
    ) -> None:
        self._issuer = issuer
        self._tokens = tokens
        self._answers = answers
        self._monotonic = monotonic
        self._required = required or issuer is not None
        self._ask_seconds_max = ask_seconds_max
        self._silent_until = float("-inf")
        self._cache: OrderedDict[bytes, _Remembered] = OrderedDict()
        self._closed_door = False
        self._asked_door = self._door_until = float("-inf")

    async def tenant(self, authorizations: Sequence[str]) -> str | Answer:
        """Tenant of the sender with these Authorization headers, or what to answer instead of listening to it."""
        if self._tokens is None:
            return EVERYBODY
        try:
            return await self._tenant(self._tokens, authorizations)
        except LedgerUnavailable:
            return self._answers.retry(Outcome.UNAVAILABLE, "tokens cannot be checked now")

    async def _tenant(self, tokens: IngestTokens, authorizations: Sequence[str]) -> str | Answer:
        why = ""
        try:
            known = await self._known(tokens, bearer_of([as_bearer(one) for one in authorizations]))
        except NoToken as fault:
            why = str(fault)
        else:
            if known.grant is not None and known.grant.allows(Scope.INGEST):
                return known.grant.org_id or EVERYBODY
            why = known.why
        if not await self._is_closed(tokens):
            return EVERYBODY
        told = "a valid ingest token is needed: authorization=Bearer <token>"
        return refuse(Outcome.UNAUTHENTICATED, f"{told} ({why})" if why else told)

    async def _known(self, tokens: IngestTokens, token: str) -> _Remembered:
        now, digest = self._monotonic(), token_digest(token)
        known = self._cache.get(digest)
        if known is not None and now < known.until:
            return known
        if self._issuer is not None and looks_like_a_jwt(token):
            return self._remember(digest, await self._judged(self._issuer, token, now))
        if len(token) > TOKEN_CHARACTERS_MAX:
            return _Remembered(None, now, now)
        try:
            grant = await self._asked(tokens.grant(digest))
        except LedgerUnavailable:
            if known is None or now - known.asked > STALE_SECONDS_MAX:
                raise
            self._cache[digest] = known._replace(until=self._monotonic() + ASK_AGAIN_SECONDS)
            return known
        return self._remember(digest, _Remembered(grant, now, now + CACHED_SECONDS))

    async def _judged(self, issuer: Bearers, token: str, now: float) -> _Remembered:
        try:
            async with asyncio.timeout(self._ask_seconds_max):
                return _Remembered(await issuer.grant(token), now, now + CACHED_SECONDS)
        except NotLetIn as fault:
            return _Remembered(None, now, now + CACHED_SECONDS, str(fault))
        except TimeoutError as fault:
            raise LedgerUnavailable("the issuer of the token does not answer in time") from fault

    def _remember(self, digest: bytes, found: _Remembered) -> _Remembered:
        self._cache[digest] = found
        self._cache.move_to_end(digest)
        if len(self._cache) > CACHED_TOKENS_MAX:
            self._cache.popitem(last=False)
        return found

    async def _is_closed(self, tokens: IngestTokens) -> bool:
        if self._required:
            return True
        now = self._monotonic()
        if now < self._door_until:
            return self._closed_door
        try:
            await self._ask_door(tokens)
        except LedgerUnavailable:
            if now - self._asked_door > STALE_SECONDS_MAX:
                raise
            self._door_until = self._monotonic() + ASK_AGAIN_SECONDS
        return self._closed_door

    async def ask_door(self) -> None:
        """Asks the ledger now, whatever is remembered. Raises ``LedgerUnavailable`` where it does not answer."""
        if self._tokens is not None:
            self._silent_until = float("-inf")
            await self._ask_door(self._tokens)

    async def _ask_door(self, tokens: IngestTokens) -> None:
        now = self._monotonic()
        self._closed_door = await self._asked(tokens.any_ingest())
        self._asked_door, self._door_until = now, now + CACHED_SECONDS

    async def _asked(self, question: Coroutine[Any, Any, T]) -> T:
        """The ledger's answer; while it is known to say nothing, nobody else waits for it."""
        if self._monotonic() < self._silent_until:
            question.close()
            raise LedgerUnavailable("the ledger does not answer")
        try:
            async with asyncio.timeout(self._ask_seconds_max):
                return await question
        except TimeoutError as fault:
            self._silent_until = self._monotonic() + ASK_AGAIN_SECONDS
            raise LedgerUnavailable("the ledger does not answer in time") from fault


def as_bearer(authorization: str) -> str:
    """The header as it is; of Basic, the password as a bearer.

    Basic is what SDKs of other backends send (a public key and a secret): a token of ours takes the secret's place.
    What is not base64 is left to be refused.
    """
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        return f"Bearer {binascii.a2b_base64(credentials.strip(), strict_mode=True).decode().partition(':')[2]}"
    except ValueError:
        return authorization

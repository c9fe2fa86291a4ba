"""One POST to an address that somebody typed in: looked up, judged, and connected to exactly what was judged.

httpcore2 speaks HTTP: the well-kept lower half of httpx2, which follows no redirects, keeps no cookies, and reads no
proxy from the environment. Its network backend is ours: a name is looked up once for each connection, every address
it has must be allowed, and the connection goes to one of those, so that a name which changes its mind in between gets
nowhere. TLS still asks for the name. Answers' bodies are not read: nothing of them can be shown to anybody.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import httpcore2

from finops.alert_delivery import Attempt, Verdict, judged
from query_api.alerting.addresses import Networks, Refused, Target, target, why_refused

SECONDS_MAX = 10.0
"""For looking up, connecting, sending and the answer together; shorter than a lease of the outbox."""
ADDRESSES_TRIED_MAX = 4

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The IP addresses of a host's name; raises ``OSError`` where it has none."""


class Post(NamedTuple):
    """A request to send."""

    url: str
    headers: Mapping[str, str]
    content: bytes


class Outbound:
    """Sends where it may."""

    def __init__(
        self,
        allowed: Networks,
        now: Callable[[], datetime],
        resolve: Resolve | None = None,
        trust: ssl.SSLContext | None = None,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._allowed = allowed
        self._now = now
        self._resolve = resolve or looked_up
        self._trust = trust or ssl.create_default_context()
        self._seconds_max = seconds_max

    async def check(self, url: str) -> None:
        """Raises ``Refused`` where nothing would be sent to ``url`` as its name is now."""
        found = target(url)
        try:
            async with asyncio.timeout(self._seconds_max):
                await allowed_addresses(found, self._resolve, self._allowed)
        except (OSError, TimeoutError, UnicodeError):
            raise Refused("is a name that cannot be looked up now") from None

    async def post(self, post: Post) -> Attempt:
        """Sends once; whatever goes wrong is said by the attempt."""
        try:
            found = target(post.url)
            backend = _Pinned(found, self._resolve, self._allowed)
            async with asyncio.timeout(self._seconds_max):
                return await self._send(post, backend)
        except Refused as refused:
            return Attempt(Verdict.AGAIN, fault=f"nothing was sent: the address {refused}")
        except (TimeoutError, httpcore2.TimeoutException):
            return Attempt(Verdict.AGAIN, fault=f"no answer within {self._seconds_max:g} seconds")
        except (httpcore2.ConnectError, ssl.SSLError) as fault:
            untrusted = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(fault))
            said = "its certificate is not valid" if untrusted else "no connection could be made"
            return Attempt(Verdict.AGAIN, fault=said)
        except httpcore2.LocalProtocolError:
            return Attempt(Verdict.NEVER, fault="the request cannot be written as HTTP")
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError, UnicodeError):
            return Attempt(Verdict.AGAIN, fault="the connection broke off")

    async def _send(self, post: Post, backend: "_Pinned") -> Attempt:
        headers = {"User-Agent": "agent-finops", "Content-Type": "application/json", "Connection": "close"}
        async with (
            httpcore2.AsyncConnectionPool(ssl_context=self._trust, network_backend=backend, retries=0) as pool,
            pool.stream(
                "POST",
                post.url,
                headers=list({**headers, **post.headers}.items()),
                content=post.content,
            ) as response,
        ):
            return judged(response.status, retry_after(response.headers, self._now()))


async def looked_up(host: str, port: int) -> Sequence[str]:
    """The system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=1)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def allowed_addresses(found: Target, resolve: Resolve, allowed: Networks) -> list[str]:
    """Every address of the target; raises ``Refused`` where one of them is not allowed."""
    addresses = list(await resolve(found.host, found.port))
    if not addresses:
        raise OSError("no address")
    for address in addresses:
        why = why_refused(address, allowed, secure=found.secure)
        if why is not None:
            raise Refused(why)
    return addresses


def retry_after(headers: Iterable[tuple[bytes, bytes]], now: datetime) -> timedelta | None:
    """How long an answer asks to be left alone, in seconds or until a date; None where it does not."""
    text = next((value.decode("latin-1").strip() for name, value in headers if name.lower() == b"retry-after"), "")
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return timedelta(seconds=int(text))
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (until if until.tzinfo else until.replace(tzinfo=UTC)) - now


def _causes(fault: BaseException) -> Iterator[BaseException]:
    """A fault and all that it came of."""
    cause: BaseException | None = fault
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


class _Pinned(httpcore2.AsyncNetworkBackend):
    """Connects to addresses that were judged a moment before, whatever the name says later."""

    def __init__(self, found: Target, resolve: Resolve, allowed: Networks) -> None:
        self._target = found
        self._resolve = resolve
        self._allowed = allowed
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Tries the name's addresses in their order."""
        if (host, port) != (self._target.host, self._target.port):
            raise Refused("is not the one that was asked for")
        last: Exception = OSError("no address")
        for address in (await allowed_addresses(self._target, self._resolve, self._allowed))[:ADDRESSES_TRIED_MAX]:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except httpcore2.ConnectError as fault:
                last = fault
        raise last

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        """Never: alerts go over the network."""
        raise Refused("is not an address")

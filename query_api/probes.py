"""Asking other services whether they are there: one small HTTP request, no redirects, a limit of time."""

import asyncio
import ssl
from urllib.parse import urlsplit

STATUS_LINE_BYTES_MAX = 1024
DOCKER_PING = "/_ping"


async def http_status(url: str, timeout_seconds: float) -> int | None:
    """The status of a GET, or None where nobody answers in time.

    ``url`` is http, https, or a Docker host (tcp://host:port, unix:///path), which is asked for its ping.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _status(url)
    except (OSError, ValueError, TimeoutError, EOFError):
        return None


async def _status(url: str) -> int:
    parts = urlsplit(url)
    reader, writer = await _connect(url)
    try:
        path = DOCKER_PING if parts.scheme in ("tcp", "unix") else (parts.path or "/")
        target = f"{path}?{parts.query}" if parts.query else path
        host = parts.netloc.rpartition("@")[2] or "localhost"
        request = f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: agent-finops\r\n\r\n"
        writer.write(request.encode("ascii"))
        await writer.drain()
        version, code, *_ = (await reader.readuntil(b"\n")).split(maxsplit=2)
        if not version.startswith(b"HTTP/"):
            raise ValueError("not HTTP")
        return int(code)
    finally:
        writer.close()


async def _connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return await asyncio.open_unix_connection(parts.path, limit=STATUS_LINE_BYTES_MAX)
    if not parts.hostname:
        raise ValueError("no host")
    tls = ssl.create_default_context() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    return await asyncio.open_connection(parts.hostname, port, ssl=tls, limit=STATUS_LINE_BYTES_MAX)

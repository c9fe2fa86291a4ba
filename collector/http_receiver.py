"""The OTLP/HTTP door: a plain ASGI application for POST /v1/traces, /v1/logs and /v1/metrics.

Protobuf and JSON, plain or gzip. Everything that can be refused from the headers is refused before the body is read,
and then the connection is closed, so that the rest of the body is not read either.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from collector.http_body import Body, Receive, SenderGone, too_large
from collector.metrics import REQUESTS, Metrics
from collector.otlp_status import (
    Answer,
    Encoding,
    Outcome,
    Signal,
    refuse,
    render_headers,
    render_status,
    render_success,
)
from collector.pipeline import Pipeline
from collector.senders import Senders

Send = Callable[[dict[str, Any]], Awaitable[None]]
PATHS = {f"/v1/{signal.value}": signal for signal in Signal}
LANGFUSE = "/api/public/otel"
"""Below it the same is taken: where Langfuse's SDKs, and programs configured for it, send OTLP."""
_SIGNALS = PATHS | {LANGFUSE + path: signal for path, signal in PATHS.items()}
ENCODINGS = {encoding.value.encode(): encoding for encoding in Encoding}


class Request(NamedTuple):
    """What the headers say."""

    signal: Signal
    encoding: Encoding
    gzipped: bool
    bytes_announced: int
    authorizations: tuple[str, ...]


class HttpReceiver:
    """The ASGI application."""

    def __init__(
        self, pipeline: Pipeline, senders: Senders, metrics: Metrics, *, bytes_max: int, body_seconds_max: float
    ) -> None:
        self._pipeline = pipeline
        self._senders = senders
        self._metrics = metrics
        self._bytes_max = bytes_max
        self._body_seconds_max = body_seconds_max

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        sent = scope["headers"]
        headers = dict(sent)
        signal = _SIGNALS.get(scope["path"])
        encoding = ENCODINGS.get(_media_type(headers), Encoding.JSON)
        body: bytes | None = None
        try:
            entered = await self._enter(scope["method"], signal, headers, sent)
            if isinstance(entered, Answer):
                answer = entered
            else:
                request, tenant = entered
                read = await self._read(request, receive)
                if isinstance(read, Answer):
                    answer = read
                else:
                    body = read
                    answer = await self._pipeline.answer(request.signal, "http", request.encoding, tenant, body)
        except SenderGone:
            return
        except Exception as fault:  # noqa: BLE001 - a 500 would make the sender drop its data
            answer = self._pipeline.fault(fault)
        self._metrics.count(REQUESTS, signal.value if signal else "none", "http", answer.outcome.label)
        await _send(send, answer, encoding, signal, close=body is None)

    async def _enter(
        self, method: str, signal: Signal | None, headers: dict[bytes, bytes], sent: Sequence[tuple[bytes, bytes]]
    ) -> tuple[Request, str] | Answer:
        request = read_headers(method, signal, headers, sent)
        if isinstance(request, Answer):
            return request
        tenant = await self._senders.tenant(request.authorizations)
        if isinstance(tenant, Answer):
            return tenant
        if request.bytes_announced > self._bytes_max:
            return too_large(self._bytes_max)
        return self._pipeline.refusal(tenant, request.bytes_announced or None) or (request, tenant)

    async def _read(self, request: Request, receive: Receive) -> bytes | Answer:
        try:
            async with asyncio.timeout(self._body_seconds_max):
                return await Body(gzipped=request.gzipped, bytes_max=self._bytes_max).read(receive)
        except TimeoutError:
            return refuse(Outcome.SLOW, "the body was not sent in time")


def read_headers(
    method: str, signal: Signal | None, headers: dict[bytes, bytes], sent: Sequence[tuple[bytes, bytes]]
) -> Request | Answer:
    """The request line and headers as far as they matter here, or the refusal they earn. ``sent`` may repeat names."""
    if b"transfer-encoding" in headers and b"content-length" in headers:
        return refuse(Outcome.UNDECODABLE, "both Content-Length and Transfer-Encoding were sent")
    if signal is None:
        return refuse(Outcome.NO_SUCH_PATH, f"OTLP is taken at {', '.join(PATHS)}")
    if method != "POST":
        return refuse(Outcome.NO_SUCH_METHOD, "POST only")
    encoding = ENCODINGS.get(_media_type(headers))
    if encoding is None:
        return refuse(Outcome.BAD_TYPE, f"Content-Type must be {' or '.join(e.value for e in Encoding)}")
    compression = headers.get(b"content-encoding", b"identity").strip().lower()
    if compression not in (b"identity", b"gzip", b""):
        return refuse(Outcome.BAD_TYPE, "Content-Encoding must be gzip or none")
    length = headers.get(b"content-length", b"0")
    return Request(
        signal,
        encoding,
        compression == b"gzip",
        int(length) if length.isdigit() else 0,
        tuple(value.decode("latin-1") for name, value in sent if name == b"authorization"),
    )


def _media_type(headers: dict[bytes, bytes]) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


async def _send(send: Send, answer: Answer, encoding: Encoding, signal: Signal | None, *, close: bool) -> None:
    status = answer.outcome.http
    if signal is not None and status == 200:
        body = render_success(answer, encoding, signal)
    else:
        body = render_status(answer, encoding)
    headers = [(b"content-type", encoding.value.encode()), (b"content-length", str(len(body)).encode())]
    headers += render_headers(answer)
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

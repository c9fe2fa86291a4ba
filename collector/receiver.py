"""The OTLP/gRPC door: raw bytes in, OTLP's status codes out, and gRPC's own health service.

No generated servicer: a framework that parses for us answers UNKNOWN to one bad byte, which makes senders drop a whole
batch. The handlers take a stream although senders send one message, because only then nothing is read before the
sender is known and there is room.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import grpc
import grpc.aio

from collector.certificates import grpc_credentials
from collector.health import Readiness
from collector.metrics import REQUESTS, Metrics
from collector.otlp_status import Answer, Encoding, Outcome, Signal, refuse, render_success, render_trailers
from collector.pipeline import Pipeline
from collector.senders import Senders
from collector.settings import Settings
from doors.certificates import Certificates

SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
    Signal.METRICS: "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
HEALTH_SERVICE = "grpc.health.v1.Health"
_SERVING, _NOT_SERVING = b"\x08\x01", b"\x08\x02"
_CODES = {code.value[0]: code for code in grpc.StatusCode}


def grpc_options(settings: Settings) -> list[tuple[str, int]]:
    """Channel arguments. Defaults of grpcio that differ cut calls short, leave mute sockets open or buffer too much."""
    return [
        ("grpc.so_reuseport", int(settings.reuse_port)),
        ("grpc.max_receive_message_length", settings.message_bytes_max),
        ("grpc.max_concurrent_streams", settings.grpc_streams_max),
        ("grpc.http2.bdp_probe", int(settings.grpc_bdp_probe)),
        ("grpc.http2.lookahead_bytes", settings.grpc_lookahead_bytes),
        ("grpc.http2.min_ping_interval_without_data_ms", settings.grpc_ping_ms_min),
        ("grpc.http2.max_ping_strikes", settings.grpc_ping_strikes_max),
        ("grpc.keepalive_permit_without_calls", int(settings.grpc_keepalive_idle)),
        ("grpc.keepalive_time_ms", settings.grpc_keepalive_ms),
        # Not grpc.keepalive_timeout_ms, which grpcio takes and does nothing with.
        ("grpc.http2.ping_timeout_ms", settings.grpc_keepalive_timeout_ms),
        ("grpc.max_connection_idle_ms", settings.grpc_idle_ms_max),
        ("grpc.max_connection_age_ms", settings.grpc_age_ms_max),
        ("grpc.max_connection_age_grace_ms", settings.grpc_age_grace_ms),
        ("grpc.server_handshake_timeout_ms", settings.grpc_handshake_ms_max),
        ("grpc.max_metadata_size", settings.grpc_metadata_bytes_max),
    ]


class GrpcReceiver:
    """A grpc.aio server with the three Export methods and health."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        senders: Senders,
        readiness: Readiness,
        metrics: Metrics,
        certificates: Certificates | None = None,
    ) -> None:
        self._settings = settings
        self._certificates = certificates
        self._pipeline = pipeline
        self._senders = senders
        self._readiness = readiness
        self._metrics = metrics
        self._server: Any = None

    async def start(self) -> int:
        """Listen; returns the port. Raises ``OSError`` when the address cannot be had."""
        self._server = grpc.aio.server(options=grpc_options(self._settings))
        handlers = [
            grpc.method_handlers_generic_handler(
                service, {"Export": grpc.stream_unary_rpc_method_handler(partial(self._export, signal))}
            )
            for signal, service in SERVICES.items()
        ]
        self._server.add_generic_rpc_handlers((*handlers, self._health_handler()))
        try:
            port = self._bind(str(self._settings.grpc))
        except RuntimeError as refused:
            raise OSError(f"cannot listen on {self._settings.grpc} for OTLP/gRPC") from refused
        await self._server.start()
        return port

    async def stop(self, within_seconds: float) -> None:
        """New exports are refused at once; those inside get ``within_seconds``."""
        if self._server is not None:
            await self._server.stop(within_seconds)

    def _bind(self, address: str) -> int:
        if self._certificates is None:
            return int(self._server.add_insecure_port(address))
        return int(self._server.add_secure_port(address, grpc_credentials(self._certificates)))

    async def _export(self, signal: Signal, requests: object, context: Any) -> bytes:
        try:
            answer = await self._answer(signal, context)
        except Exception as fault:  # noqa: BLE001 - an exception would be UNKNOWN to the sender, and UNKNOWN means drop
            answer = self._pipeline.fault(fault)
        self._metrics.count(REQUESTS, signal.value, "grpc", answer.outcome.label)
        if answer.outcome.grpc:
            try:
                await context.abort(_CODES[answer.outcome.grpc], answer.message, render_trailers(answer))
            finally:
                del requests, context  # the call holds what abort raises, and that holds this frame
        return render_success(answer, Encoding.PROTOBUF, signal)

    async def _answer(self, signal: Signal, context: Any) -> Answer:
        sent = [_text(value) for name, value in context.invocation_metadata() or () if name == "authorization"]
        tenant = await self._senders.tenant(sent)
        if isinstance(tenant, Answer):
            return tenant
        refusal = self._pipeline.refusal(tenant)
        if refusal is not None:
            return refusal
        try:
            async with asyncio.timeout(self._settings.body_ms_max / 1000):
                # Not from the iterator: it and its generator are a circle, which collector.tidying never takes apart.
                body = await context.read()
        except TimeoutError:
            return refuse(Outcome.SLOW, "the export was not sent in time")
        if body is grpc.aio.EOF:
            return refuse(Outcome.UNDECODABLE, "no message was sent")
        return await self._pipeline.answer(signal, "grpc", Encoding.PROTOBUF, tenant, body)

    def _health_handler(self) -> Any:
        return grpc.method_handlers_generic_handler(
            HEALTH_SERVICE,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
            },
        )

    async def _check(self, request: bytes, context: Any) -> bytes:
        if _service_asked(request) not in ("", *SERVICES.values()):
            try:
                await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            finally:
                del context  # as above
        return _SERVING if self._readiness.is_ready else _NOT_SERVING

    async def _watch(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        if _service_asked(request) not in ("", *SERVICES.values()):
            yield b"\x08\x03"
            return
        async for state in self._readiness.states():
            yield _SERVING if state == "ready" else _NOT_SERVING


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _service_asked(request: bytes) -> str:
    """HealthCheckRequest has one field, a name shorter than 128 bytes; anything else is no service of ours."""
    if not request:
        return ""
    if request[0] != 0x0A or len(request) < 2 or request[1] != len(request) - 2:
        return "?"
    return request[2:].decode("utf-8", "replace")

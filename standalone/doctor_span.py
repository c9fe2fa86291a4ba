"""One span, made and sent by the OpenTelemetry SDK the way an instrumented agent does it."""

import importlib.util
import logging
from collections.abc import Mapping
from dataclasses import dataclass

MODEL = "gpt-4o-mini"
INPUT_TOKENS = 1000
OUTPUT_TOKENS = 100
SEND_SECONDS = 8
SDK_MISSING = "the OpenTelemetry SDK is not installed here: pip install opentelemetry-exporter-otlp-proto-grpc"
_SDK = "opentelemetry.exporter.otlp.proto.grpc"
_NOTHING: Mapping[str, str | int] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of the export. `refusal` is None where it was acknowledged, else the receiver's own words."""

    trace_id: str
    refusal: str | None


def sdk_is_there() -> bool:
    """Whether the SDK and its OTLP/gRPC exporter can be imported."""
    try:
        return all(importlib.util.find_spec(name) is not None for name in (_SDK, "opentelemetry.sdk"))
    except ModuleNotFoundError:
        return False


def send_span(endpoint: str, token: str | None, session: str, said: Mapping[str, str | int] = _NOTHING) -> Sent:
    """Send one chat call and wait for the receiver's answer.

    It is of the organisation and agent `doctor`, where what is ``said`` of it is no other.
    """
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExportResult
    from opentelemetry.trace import SpanKind

    provider = TracerProvider(resource=Resource({"service.name": "agent-finops doctor"}), shutdown_on_exit=False)
    headers = {"authorization": f"Bearer {token}"} if token else None
    exporter = OTLPSpanExporter(endpoint=endpoint, headers=headers, timeout=SEND_SECONDS)
    span = provider.get_tracer("agent-finops doctor").start_span(
        f"chat {MODEL}", kind=SpanKind.CLIENT, attributes={**_attributes(session), **said}
    )
    span.end()
    assert isinstance(span, ReadableSpan)
    with _Overheard() as overheard:
        result = exporter.export([span])
    exporter.shutdown()
    refused = result is not SpanExportResult.SUCCESS
    trace_id = f"{span.get_span_context().trace_id:032x}"
    return Sent(trace_id=trace_id, refusal=overheard.last or "the SDK gives no reason" if refused else None)


def _attributes(session: str) -> dict[str, str | int]:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": MODEL,
        "gen_ai.response.model": MODEL,
        "gen_ai.usage.input_tokens": INPUT_TOKENS,
        "gen_ai.usage.output_tokens": OUTPUT_TOKENS,
        "gen_ai.conversation.id": session,
        "gen_ai.agent.name": "doctor",
        "finops.org": "doctor",
    }


class _Overheard(logging.Handler):
    """The exporter tells its log, and nobody else, why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last: str | None = None
        self._logger = logging.getLogger(f"{_SDK}.exporter")

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()

    def __enter__(self) -> "_Overheard":
        self._logger.addHandler(self)
        self._propagated, self._logger.propagate = self._logger.propagate, False
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = self._propagated

"""An application with the OpenTelemetry SDK as it comes, as a program of its own: no patience beyond its defaults.

Arguments: a JSON object {endpoint, transport, spans_per_second, seconds}. Ends calls at that rate in twenty sessions of
one agent, flushes, prints how many. ``transport``: grpc or http.
"""

import json
import sys
import time
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

AGENT = "steady"
SESSIONS = 20
CALL: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.agent.name": AGENT,
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 10,
}
CALL_USD = 1000 * 0.15e-6 + 10 * 0.6e-6
"""What one call costs, about; for baselines and nothing else."""
TICK_SECONDS = 0.05


def exporter(asked: dict[str, Any]) -> SpanExporter:
    """As it comes, but for where it sends."""
    if asked["transport"] == "grpc":
        return GrpcExporter(endpoint=f"http://{asked['endpoint']}", insecure=True)
    return HttpExporter(endpoint=f"http://{asked['endpoint']}/v1/traces")


def main(asked: dict[str, Any]) -> None:
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(exporter(asked)))
    tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2")
    began, made = time.monotonic(), 0
    while (passed := time.monotonic() - began) < asked["seconds"]:
        while made < passed * asked["spans_per_second"]:
            session = f"{asked['transport']}-{made % SESSIONS}"
            tracer.start_span("chat gpt-4o-mini", attributes={**CALL, "gen_ai.conversation.id": session}).end()
            made += 1
        time.sleep(TICK_SECONDS)
    provider.shutdown()
    print(made)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

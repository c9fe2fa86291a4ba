"""An application with the OpenTelemetry SDK as it comes, as a program of its own: no patience beyond its defaults.

Arguments: a JSON object {address, spans_per_second, seconds}. Ends calls at that rate, flushes, prints how many.
"""

import json
import sys
import time
from typing import Any

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

CALL: dict[str, str | int] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o-mini",
    "gen_ai.usage.input_tokens": 1000,
    "gen_ai.usage.output_tokens": 10,
}
TICK_SECONDS = 0.05


def main(asked: dict[str, Any]) -> None:
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"http://{asked['address']}", insecure=True)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("opentelemetry.instrumentation.openai_v2")
    began, made = time.monotonic(), 0
    while (passed := time.monotonic() - began) < asked["seconds"]:
        while made < passed * asked["spans_per_second"]:
            tracer.start_span("chat gpt-4o-mini", attributes=CALL).end()
            made += 1
        time.sleep(TICK_SECONDS)
    provider.shutdown()
    print(made)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

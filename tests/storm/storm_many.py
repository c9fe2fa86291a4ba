"""A million sessions and a hundred thousand agents: calls of which hardly two belong together.

Every call costs the same, so sums are worked out from the number of calls alone.
"""

import itertools
import random
import time
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from storm.storm_traffic import INPUT_PICO, OUTPUT_PICO

SPANS: Final = 500
INPUT, OUTPUT = 1_000, 100
CALL_PICO: Final = INPUT * INPUT_PICO + OUTPUT * OUTPUT_PICO


class Many:
    """Exports of calls, each in a session of its own, of ``agents`` agents in turn."""

    def __init__(self, chance: random.Random, agents: int, name: str = "") -> None:
        self._chance = chance
        self._agents = agents
        self._name = name
        self._numbers = itertools.count()

    def export(self) -> bytes:
        """The next."""
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        group.resource.attributes.add(key="service.name").value.string_value = "shop"
        scope = group.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.openai_v2"
        chance, now = self._chance, time.time_ns()
        for number in itertools.islice(self._numbers, SPANS):
            span = scope.spans.add(trace_id=chance.randbytes(16), span_id=chance.randbytes(8), name="chat gpt-4o-mini")
            span.start_time_unix_nano, span.end_time_unix_nano = now - 10**6, now
            for key, text in (
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.provider.name", "openai"),
                ("gen_ai.request.model", "gpt-4o-mini"),
                ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
                ("gen_ai.response.id", f"chatcmpl-{chance.randbytes(12).hex()}"),
                ("gen_ai.agent.name", f"{self._name}agent-{number % self._agents}"),
                ("gen_ai.conversation.id", f"{self._name}session-{number}"),
            ):
                span.attributes.add(key=key).value.string_value = text
            for key, count in (("gen_ai.usage.input_tokens", INPUT), ("gen_ai.usage.output_tokens", OUTPUT)):
                span.attributes.add(key=key).value.int_value = count
        return request.SerializeToString()

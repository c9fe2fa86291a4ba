"""Exports of realistic chat spans for the ingestion benchmark, cheap to make fresh: the same bytes with other ids.

A template is made once with protobuf; to make an export of it, ids and times are written over at known places. Each
span is a chat call with 18 attributes as an OpenAI instrumentation sends them; eight calls are a trace. ``prompts``
adds two messages of 1 kB each, as attributes or as span events.
"""

import os
import random
import struct
import time
from typing import Final, NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SHAPES: Final = ("bare", "attr", "event")
CALLS_PER_TRACE: Final = 8
SESSIONS: Final = 200
"""Of one sender at a time."""
AGENTS: Final = 20
PROMPT: Final = "All happy families are alike; each unhappy family is unhappy in its own way. " * 13
MODELS: Final = ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini")
_MARK: Final = b"\xa5\x5a"
_TIME: Final = struct.Struct("<Q")


class _Places(NamedTuple):
    """Where in the template's bytes what of one span is."""

    trace_id: int
    span_id: int
    response_id: int
    start: int
    end: int


class Template:
    """Exports of ``spans`` spans of one shape."""

    def __init__(self, spans: int, shape: str, seed: int) -> None:
        chance = random.Random(seed)
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        for key, value in (("service.name", f"shop-{seed % 4}"), ("deployment.environment.name", "production")):
            group.resource.attributes.add(key=key).value.string_value = value
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = "opentelemetry.instrumentation.openai_v2", "2.4b0"
        for number in range(spans):
            scope.spans.append(_call(chance, number, shape))
        self._body = bytearray(request.SerializeToString())
        self._places = [_places(self._body, number) for number in range(spans)]
        self.size = len(self._body)
        self.spans = spans

    def export(self) -> bytes:
        """The next export: fresh ids, and times that end now."""
        body = bytearray(self._body)
        raw = os.urandom(self.spans * 32)
        answers = raw.hex().encode()
        now = time.time_ns()
        at, trace_id = 0, b""
        for number, place in enumerate(self._places):
            if number % CALLS_PER_TRACE == 0:
                trace_id = raw[at : at + 16]
            body[place.trace_id : place.trace_id + 16] = trace_id
            body[place.span_id : place.span_id + 8] = raw[at + 16 : at + 24]
            body[place.response_id : place.response_id + 24] = answers[2 * at + 40 : 2 * at + 64]
            end = now - (number << 10)
            _TIME.pack_into(body, place.start, end - 900_000_000)
            _TIME.pack_into(body, place.end, end)
            at += 32
        return bytes(body)


def _call(chance: random.Random, number: int, shape: str) -> Span:
    mark = _MARK + number.to_bytes(2)
    model = MODELS[number % len(MODELS)]
    span = Span(trace_id=mark * 4, span_id=mark * 2, name=f"chat {model}", kind=Span.SPAN_KIND_CLIENT)
    span.start_time_unix_nano = span.end_time_unix_nano = int.from_bytes(mark * 2, "little")
    conversation = chance.randrange(SESSIONS)
    for key, value in (
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.system", "openai"),
        ("gen_ai.request.model", model),
        ("gen_ai.response.model", model),
        ("gen_ai.response.id", f"chatcmpl-{number:024d}"),
        ("gen_ai.conversation.id", f"conversation-{conversation}"),
        ("gen_ai.agent.name", f"agent-{conversation % AGENTS}"),
        ("gen_ai.output.type", "text"),
        ("gen_ai.openai.response.service_tier", "default"),
        ("server.address", "api.openai.com"),
        ("openai.api.type", "chat_completions"),
    ):
        span.attributes.add(key=key).value.string_value = value
    for key, count in (
        ("gen_ai.usage.input_tokens", chance.randint(200, 8000)),
        ("gen_ai.usage.output_tokens", chance.randint(10, 900)),
        ("gen_ai.usage.cache_read.input_tokens", chance.choice((0, 0, 128))),
        ("gen_ai.request.max_tokens", 1024),
        ("server.port", 443),
    ):
        span.attributes.add(key=key).value.int_value = count
    span.attributes.add(key="gen_ai.request.temperature").value.double_value = 0.7
    _say(span, shape)
    return span


def _say(span: Span, shape: str) -> None:
    for key in ("gen_ai.input.messages", "gen_ai.output.messages"):
        if shape == "attr":
            span.attributes.add(key=key).value.string_value = PROMPT
        elif shape == "event":
            span.events.add(name=key).attributes.add(key="content").value.string_value = PROMPT


def _places(body: bytearray, number: int) -> _Places:
    mark = _MARK + number.to_bytes(2)
    trace_id = body.index(mark * 4)
    span_id = body.index(mark * 2, trace_id + 16)
    start = body.index(mark * 2, span_id + 8)
    end = body.index(mark * 2, start + 8)
    return _Places(trace_id, span_id, body.index(b"chatcmpl-", end) + 9, start, end)

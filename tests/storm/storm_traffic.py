"""What a storm sends, made from a seed, and what it must cost: worked out here in whole numbers, by nobody else's code.

A conversation is an agent with calls below it, cut into exports in any order; some of its calls are reported a second
time by a gateway in a trace of its own. Each call has its own count of tokens, so that nothing can cancel out.
"""

import random
import time
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

AGENTS = 5
INPUT_PICO = 150_000
OUTPUT_PICO = 600_000
"""gpt-4o-mini, pico-USD a token."""

Identity = tuple[bytes, bytes]
"""(trace_id, span_id)."""


class Sent(NamedTuple):
    """One export: its bytes and the spans in it."""

    body: bytes
    spans: tuple[Identity, ...]


class Made(NamedTuple):
    """One span with the sender it goes under."""

    service: str
    scope: str
    span: Span


class Truth:
    """What everything made so far must come to, by agent: runs, calls, input tokens, output tokens, pico-USD."""

    def __init__(self) -> None:
        self.by_agent: dict[str, list[int]] = {}

    def add(self, agent: str, runs: int, calls: int, input_tokens: int, output_tokens: int) -> None:
        sums = self.by_agent.setdefault(agent, [0, 0, 0, 0, 0])
        cost = input_tokens * INPUT_PICO + output_tokens * OUTPUT_PICO
        for at, value in enumerate((runs, calls, input_tokens, output_tokens, cost)):
            sums[at] += value


class Traffic:
    """Exports without end; ``truth`` grows with the conversations in them."""

    def __init__(self, seed: int, sizes: tuple[int, ...] = (1, 2, 5, 20, 50)) -> None:
        self.truth = Truth()
        self._sizes = sizes
        self._chance = random.Random(seed)
        self._waiting: list[Made] = []
        self._number = 0

    def next(self) -> Sent:
        """One more export."""
        if len(self._waiting) < 60:
            while len(self._waiting) < 120:
                self._waiting += _conversation(self._chance, self._number, self.truth)
                self._number += 1
            self._chance.shuffle(self._waiting)
        return self._taken(self._chance.choice(self._sizes))

    def rest(self) -> Sent:
        """Whatever is missing of the conversations that have begun."""
        return self._taken(len(self._waiting))

    def _taken(self, size: int) -> Sent:
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return _export(taken)


def _conversation(chance: random.Random, number: int, truth: Truth) -> list[Made]:
    trace_id, agent = chance.randbytes(16), f"agent-{number % AGENTS}"
    root = _span(chance, trace_id, b"", "invoke_agent", agent)
    root.attributes.add(key="gen_ai.agent.name").value.string_value = agent
    root.attributes.add(key="gen_ai.conversation.id").value.string_value = f"conversation-{number // 7}"
    truth.add(agent, 1, 0, 0, 0)
    made = [Made("shop", "agents", root)]
    for _ in range(chance.randint(1, 8)):
        tokens = chance.randint(100, 90_000), chance.randint(1, 5_000)
        answer = f"chatcmpl-{chance.getrandbits(96):024x}"
        truth.add(agent, 0, 1, *tokens)
        call = _call(chance, trace_id, root.span_id, tokens, answer)
        made.append(Made("shop", "opentelemetry.instrumentation.openai_v2", call))
        if chance.random() < 0.15:
            copy = _call(chance, chance.randbytes(16), b"", tokens, answer)
            copy.start_time_unix_nano, copy.end_time_unix_nano = call.start_time_unix_nano, call.end_time_unix_nano
            made.append(Made("gateway", "gateway", copy))
    return made


def _span(chance: random.Random, trace_id: bytes, parent: bytes, operation: str, name: str) -> Span:
    now = time.time_ns()
    span = Span(trace_id=trace_id, span_id=chance.randbytes(8), parent_span_id=parent, name=f"{operation} {name}")
    span.start_time_unix_nano, span.end_time_unix_nano = now - 10**6, now
    span.attributes.add(key="gen_ai.operation.name").value.string_value = operation
    return span


def _call(chance: random.Random, trace_id: bytes, parent: bytes, tokens: tuple[int, int], answer: str) -> Span:
    span = _span(chance, trace_id, parent, "chat", "gpt-4o-mini")
    for key, value in (
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o-mini"),
        ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
        ("gen_ai.response.id", answer),
    ):
        span.attributes.add(key=key).value.string_value = value
    for key, count in zip(("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens"), tokens, strict=True):
        span.attributes.add(key=key).value.int_value = count
    return span


def _export(made: list[Made]) -> Sent:
    request = ExportTraceServiceRequest()
    for item in made:
        resource = request.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = item.service
        scope = resource.scope_spans.add()
        scope.scope.name = item.scope
        scope.spans.append(item.span)
    spans = tuple((item.span.trace_id, item.span.span_id) for item in made)
    return Sent(request.SerializeToString(), spans)

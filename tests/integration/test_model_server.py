"""The example model server, asked by the real OpenAI SDK; the example agents, traced by the real instrumentation."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent import futures
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from genai_prices.data_snapshot import get_snapshot
from model_server_thread import model_server
from openai import OpenAI, RateLimitError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from examples.bill import PRICE_LIST
from examples.model_server import ModelServer

AGENTS = Path(__file__).parents[2] / "examples" / "agents"
ASK: list[Any] = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with model_server("test") as running:
        yield running


@pytest.fixture
def client(server: ModelServer) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{server.url}/v1", api_key="tester", default_headers={"X-Session": "s1"}) as openai_client:
        yield openai_client


def bill(server: ModelServer) -> Any:
    with urllib.request.urlopen(f"{server.url}/bill") as answer:
        return json.load(answer)


def test_the_price_list_is_the_catalogue_s() -> None:
    sold = [provider for provider in get_snapshot().providers if provider.id in ("openai", "anthropic")]
    catalogue: dict[str, Any] = {model.id: model.prices for provider in sold for model in provider.models}
    for name, price in PRICE_LIST.items():
        listed = catalogue[name]
        assert price.input_pico == listed.input_mtok * 1_000_000
        assert price.output_pico == (listed.output_mtok or 0) * 1_000_000
        assert price.cached_pico == (listed.cache_read_mtok or listed.input_mtok) * 1_000_000


def test_what_an_answer_says_it_used_is_what_is_billed(server: ModelServer, client: OpenAI) -> None:
    answer = client.chat.completions.create(model="o4-mini", messages=ASK)
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    [line] = bill(server)["calls"]
    assert (line["id"], line["model"], line["agent"], line["session"]) == (answer.id, "o4-mini", "tester", "s1")
    assert answer.model == "o4-mini-2025-04-16"
    assert answer.usage.prompt_tokens == line["inputTokens"]
    assert answer.usage.completion_tokens == line["outputTokens"]
    assert answer.usage.completion_tokens_details.reasoning_tokens == line["reasoningTokens"] > 0
    expected = Decimal(line["inputTokens"]) * Decimal("1.1e-6") + Decimal(line["outputTokens"]) * Decimal("4.4e-6")
    assert Decimal(line["costUsd"]) == expected


def test_a_prompt_sent_before_in_the_same_session_is_cached(server: ModelServer, client: OpenAI) -> None:
    long_prompt: list[Any] = [{"role": "user", "content": "word " * 2000}]
    first = client.chat.completions.create(model="gpt-4o", messages=long_prompt).usage
    second = client.chat.completions.create(model="gpt-4o", messages=long_prompt).usage
    other = client.chat.completions.create(
        model="gpt-4o", messages=long_prompt, extra_headers={"X-Session": "s2"}
    ).usage
    cached = [usage.prompt_tokens_details.cached_tokens for usage in (first, second, other)]  # type: ignore[union-attr]
    assert first is not None
    assert cached == [0, first.prompt_tokens // 128 * 128, 0]


def test_a_stream_says_what_it_used_only_when_asked(server: ModelServer, client: OpenAI) -> None:
    asked: dict[str, Any] = {"stream_options": {"include_usage": True}}
    used = []
    for options in (asked, {}):
        with client.chat.completions.create(model="gpt-4o-mini", messages=ASK, stream=True, **options) as stream:
            used.append([chunk.usage.prompt_tokens for chunk in stream if chunk.usage])
    assert used == [[bill(server)["calls"][0]["inputTokens"]], []]
    assert bill(server)["total"]["calls"] == 2


def test_tools_are_asked_for_once_each_and_then_the_answer_comes(client: OpenAI) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("a", "b")]
    messages, asked = list(ASK), []
    for _ in range(3):
        answer = client.chat.completions.create(model="gpt-4o", messages=messages, tools=tools).choices[0]
        for call in answer.message.tool_calls or []:
            asked.append(call.function.name)  # type: ignore[union-attr]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": "done"})
    assert answer.finish_reason == "stop"
    assert asked == ["a", "b"]


def test_responses_and_embeddings_are_billed_too(server: ModelServer, client: OpenAI) -> None:
    plain = client.responses.create(model="gpt-4o", input="Hello?")
    with client.responses.create(model="gpt-4o", input="Hello?", stream=True) as stream:
        *_, last = stream
    embedding = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
    assert plain.usage is not None
    assert last.type == "response.completed"
    assert last.response.usage is not None
    assert len(embedding.data) == 2
    said = [plain.usage.input_tokens, last.response.usage.input_tokens, embedding.usage.prompt_tokens]
    assert said == [line["inputTokens"] for line in bill(server)["calls"]]


def test_a_refused_attempt_is_billed_nothing_and_the_sdk_tries_again(server: ModelServer, client: OpenAI) -> None:
    refuse = {"X-Refuse-Once": "please"}
    with pytest.raises(RateLimitError):
        client.with_options(max_retries=0).chat.completions.create(model="gpt-4o", messages=ASK, extra_headers=refuse)
    assert bill(server)["total"]["calls"] == 0
    client.chat.completions.create(model="gpt-4o", messages=ASK, extra_headers={"X-Refuse-Once": "again"})
    assert (bill(server)["total"]["calls"], bill(server)["refusedAttempts"]) == (1, 2)


def test_every_sum_of_the_bill_is_the_sum_of_its_lines_and_no_two_calls_are_alike(
    server: ModelServer, client: OpenAI
) -> None:
    for number in range(12):
        model = ("gpt-4o", "gpt-4o-mini", "o4-mini")[number % 3]
        client.chat.completions.create(model=model, messages=ASK, extra_headers={"X-Session": f"s{number % 2}"})
    the_bill = bill(server)
    lines = the_bill["calls"]
    assert len({(line["inputTokens"], line["outputTokens"]) for line in lines}) == 12
    total = sum(Decimal(line["costUsd"]) for line in lines)
    for group in ("byAgent", "byModel", "bySession"):
        assert sum(Decimal(entry["costUsd"]) for entry in the_bill[group].values()) == total
        assert sum(entry["calls"] for entry in the_bill[group].values()) == 12
    assert Decimal(the_bill["total"]["costUsd"]) == total


def test_a_falsified_bill_has_one_token_more(server: ModelServer, client: OpenAI) -> None:
    client.chat.completions.create(model="gpt-4o", messages=ASK)
    honest = bill(server)["total"]["inputTokens"]
    server.one_token_more = True
    assert bill(server)["total"]["inputTokens"] == honest + 1


class Sink(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps (service, scope, span name, attributes) of every span it is sent."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, str, str, dict[str, Any]]] = []

    def Export(self, request: Any, context: Any) -> Any:
        for resource_spans in request.resource_spans:
            service = _attributes(resource_spans.resource)["service.name"]
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    self.spans.append((service, scope_spans.scope.name, span.name, _attributes(span)))
        return trace_service_pb2.ExportTraceServiceResponse()


def _attributes(holder: Any) -> dict[str, Any]:
    return {entry.key: getattr(entry.value, entry.value.WhichOneof("value")) for entry in holder.attributes}


@pytest.fixture
def sink() -> Iterator[tuple[Sink, str]]:
    servicer = Sink()
    receiver = grpc.server(futures.ThreadPoolExecutor(1))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(servicer, receiver)  # type: ignore[no-untyped-call]
    port = receiver.add_insecure_port("127.0.0.1:0")
    receiver.start()
    yield servicer, f"http://127.0.0.1:{port}"
    receiver.stop(None).wait()


@pytest.mark.parametrize("agent", ["research_agent", "support_agent", "digest_agent"])
def test_an_agent_with_environment_variables_alone_reports_every_token_it_is_billed(
    agent: str, server: ModelServer, sink: tuple[Sink, str]
) -> None:
    servicer, endpoint = sink
    environment = os.environ | {
        "OPENAI_BASE_URL": f"{server.url}/v1",
        "OPENAI_API_KEY": agent,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_SERVICE_NAME": agent,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    launcher = Path(sys.executable).with_name("opentelemetry-instrument")
    subprocess.run(
        [launcher, sys.executable, AGENTS / f"{agent}.py"], env=environment, check=True, timeout=60, text=True
    )
    total = bill(server)["total"]
    paid = [
        attributes
        for service, scope, _, attributes in servicer.spans
        if service == agent and scope == "opentelemetry.instrumentation.genai.openai"
    ]
    assert len(paid) == total["calls"] > 0
    for key, field in (
        ("gen_ai.usage.input_tokens", "inputTokens"),
        ("gen_ai.usage.cache_read.input_tokens", "cachedInputTokens"),
        ("gen_ai.usage.output_tokens", "outputTokens"),
        ("gen_ai.usage.reasoning.output_tokens", "reasoningTokens"),
    ):
        assert sum(attributes.get(key, 0) for attributes in paid) == total[field], key
    own = [attributes for _, scope, _, attributes in servicer.spans if scope == agent]
    runs = [attributes for attributes in own if attributes["gen_ai.operation.name"] == "invoke_agent"]
    conversations = {attributes["gen_ai.conversation.id"] for attributes in runs}
    assert len(conversations) == (0 if agent == "digest_agent" else 3)
    hits = [attributes for attributes in own if attributes.get("gen_ai.cache.hit")]
    assert [hit["finops.cache.kind"] for hit in hits] == (["semantic"] if agent == "research_agent" else [])

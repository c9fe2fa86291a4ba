"""Every dialect by hand-made spans: the generations of names, who counts the cache apart, and what is never usage."""

import json
from typing import Any

import pytest
from otlp_bytes import export, span

from collector.decode import decode_traces
from finops.spans import SpanClass, SpanRecord
from finops.usage import TokenUsage


def read(said: Any, *, scope: str = "my-app", version: str = "", name: str = "chat", **how: Any) -> SpanRecord:
    decoded = decode_traces(export(span(said, name=name.encode(), **how), scope=scope, version=version), "", 0)
    assert not decoded.rejected, decoded.rejected
    return decoded.records[0]


def usage(given: int, made: int, **parts: int) -> TokenUsage:
    return TokenUsage(given, made, **parts)


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
CACHED = {"gen_ai.usage.cache_read.input_tokens": 30}

CALLS: list[tuple[str, dict[str, Any], dict[str, Any], TokenUsage]] = [
    (
        "OTel 1.26: prompt and completion",
        {"scope": "opentelemetry.instrumentation.openai_v2"},
        {"gen_ai.system": "openai", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
         "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 7},
        usage(100, 7),
    ),
    (
        "OTel today: every detail, cache write by its newest name",
        {"scope": "opentelemetry.instrumentation.genai.anthropic", "version": "1.3b0"},
        CHAT | {"gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": 100,
                "gen_ai.usage.output_tokens": 70, "gen_ai.usage.cache_read.input_tokens": 30,
                "gen_ai.usage.cache_write.input_tokens": 20, "gen_ai.usage.reasoning.output_tokens": 9,
                "gen_ai.usage.audio.input_tokens": 5},
        usage(100, 70, cached_input_tokens=30, cache_write_tokens=20, reasoning_tokens=9, input_audio_tokens=5),
    ),
    (
        "both generations on one span are one call",
        {"scope": "strands.telemetry.tracer"},
        {"gen_ai.provider.name": "strands-agents", "gen_ai.operation.name": "chat",
         "gen_ai.request.model": "gpt-4o", "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.input_tokens": 100,
         "gen_ai.usage.completion_tokens": 7, "gen_ai.usage.output_tokens": 7, "gen_ai.usage.total_tokens": 107},
        usage(100, 7),
    ),
    (
        "Strands 1.16 leaves the cache out of the input",
        {"scope": "strands.telemetry.tracer"},
        {"gen_ai.system": "strands-agents", "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100,
         "gen_ai.usage.output_tokens": 7, "gen_ai.usage.cache_read_input_tokens": 30,
         "gen_ai.usage.cache_write_input_tokens": 20},
        usage(150, 7, cached_input_tokens=30, cache_write_tokens=20),
    ),
    (
        "Strands 1.62 has it inside",
        {"scope": "strands.telemetry.tracer"},
        {"gen_ai.provider.name": "strands-agents", "gen_ai.operation.name": "chat",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
         "gen_ai.usage.cache_read_input_tokens": 30, "gen_ai.usage.cache_read.input_tokens": 30,
         "gen_ai.usage.cache_creation.input_tokens": 20},
        usage(100, 7, cached_input_tokens=30, cache_write_tokens=20),
    ),
    (
        "more cached than given proves that the cache is apart, whoever says it",
        {"scope": "unheard.of"},
        CHAT | {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 7,
                "gen_ai.usage.cache_read.input_tokens": 30},
        usage(40, 7, cached_input_tokens=30),
    ),
    (
        "a total that adds up only with the cache proves it too",
        {"scope": "unheard.of"},
        CHAT | CACHED | {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
                         "gen_ai.usage.total_tokens": 137},
        usage(130, 7, cached_input_tokens=30),
    ),
    (
        "an explicit word outranks every rule",
        {"scope": "opentelemetry.instrumentation.bedrock", "version": "0.62.4"},
        CHAT | CACHED | {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
                         "finops.usage.input_semantics": "inclusive"},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "Bedrock counts the cache apart: botocore",
        {"scope": "opentelemetry.instrumentation.botocore.bedrock-runtime", "version": "0.66b2"},
        CHAT | CACHED | {"gen_ai.provider.name": "aws.bedrock", "gen_ai.usage.input_tokens": 100,
                         "gen_ai.usage.output_tokens": 7},
        usage(130, 7, cached_input_tokens=30),
    ),
    (
        "OpenLIT passes Anthropic's numbers on as they are",
        {"scope": "openlit.instrumentation.anthropic"},
        CHAT | CACHED | {"gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": 100,
                         "gen_ai.usage.output_tokens": 7},
        usage(130, 7, cached_input_tokens=30),
    ),
    (
        "Pydantic AI's details, with the lifetime of an hour apart",
        {"scope": "pydantic-ai", "version": "1.18.0"},
        {"gen_ai.system": "anthropic", "gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
         "gen_ai.usage.details.cache_read_input_tokens": 30, "gen_ai.usage.details.cache_write_tokens": 20,
         "gen_ai.usage.details.ephemeral_1h_input_tokens": 8},
        usage(100, 7, cached_input_tokens=30, cache_write_tokens=20, cache_write_1h_tokens=8),
    ),
    (
        "Vercel AI SDK 6",
        {"scope": "ai"},
        {"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "openai.chat", "ai.model.id": "gpt-5",
         "ai.usage.inputTokens": 100, "ai.usage.outputTokens": 70, "ai.usage.cachedInputTokens": 30,
         "ai.usage.reasoningTokens": 9},
        usage(100, 70, cached_input_tokens=30, reasoning_tokens=9),
    ),
    (
        "Vercel AI SDK 5 with Anthropic: the provider's own object knows what the totals leave out",
        {"scope": "ai"},
        {"ai.operationId": "ai.streamText.doStream", "ai.model.provider": "anthropic.messages",
         "ai.model.id": "claude-sonnet-4-5", "ai.usage.inputTokens": 100, "ai.usage.outputTokens": 7,
         "ai.response.providerMetadata": json.dumps({"anthropic": {"usage": {
             "input_tokens": 100, "output_tokens": 7, "cache_read_input_tokens": 30,
             "cache_creation_input_tokens": 20, "cache_creation": {"ephemeral_1h_input_tokens": 5}}}})},
        usage(150, 7, cached_input_tokens=30, cache_write_tokens=20, cache_write_1h_tokens=5),
    ),
    (
        "Vercel AI SDK embeddings",
        {"scope": "ai"},
        {"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "text-embedding-3-small", "ai.usage.tokens": 31},
        usage(31, 0),
    ),
    (
        "LiteLLM's raw child, a Python literal",
        {"scope": "litellm", "name": "raw_gen_ai_request"},
        {"llm.openai.id": "chatcmpl-0123456789", "llm.openai.model": "gpt-4o",
         "llm.openai.usage": "{'completion_tokens': 7, 'prompt_tokens': 100, 'prompt_tokens_details': "
                             "{'cached_tokens': 30, 'audio_tokens': None}, 'completion_tokens_details': None}"},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "LiteLLM's raw child for Anthropic counts the cache apart",
        {"scope": "litellm", "name": "raw_gen_ai_request"},
        {"llm.anthropic.id": "msg_0123456789abcdef",
         "llm.anthropic.usage": "{'input_tokens': 100, 'output_tokens': 7, 'cache_read_input_tokens': 30, "
                                "'cache_creation_input_tokens': 20, 'cache_creation': "
                                "{'ephemeral_5m_input_tokens': 12, 'ephemeral_1h_input_tokens': 8}}"},
        usage(150, 7, cached_input_tokens=30, cache_write_tokens=20, cache_write_1h_tokens=8),
    ),
    (
        "LiteLLM's own usage object has it inside",
        {"scope": "litellm", "name": "litellm_request"},
        {"gen_ai.operation.name": "acompletion", "gen_ai.system": "anthropic",
         "gen_ai.request.model": "claude-sonnet-4-5", "gen_ai.usage.input_tokens": 100,
         "gen_ai.usage.output_tokens": 7,
         "metadata.usage_object": "{'prompt_tokens': 100, 'completion_tokens': 7, 'cache_read_input_tokens': 30}"},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "Langfuse's disjoint buckets",
        {"scope": "langfuse-sdk", "version": "3.10.0"},
        {"langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-5",
         "langfuse.observation.usage_details": '{"input": 70, "output": 61, "input_cache_read": 30, '
                                               '"output_reasoning": 9, "total": 170}'},
        usage(100, 70, cached_input_tokens=30, reasoning_tokens=9),
    ),
    (
        "MLflow's token usage, JSON in a text",
        {"scope": "mlflow.tracing.provider"},
        {"mlflow.spanType": '"CHAT_MODEL"', "mlflow.llm.model": '"claude-sonnet-4-5"',
         "mlflow.chat.tokenUsage": '{"input_tokens": 100, "output_tokens": 7, "cache_read_input_tokens": 30, '
                                   '"cache_creation_input_tokens": 20, "cache_creation_input_tokens_above_1hr": 5}'},
        usage(100, 7, cached_input_tokens=30, cache_write_tokens=20, cache_write_1h_tokens=5),
    ),
    (
        "Google ADK 1.18 leaves thoughts and tool prompts out; its JSON has them",
        {"scope": "gcp.vertex.agent", "version": "1.18.0", "name": "call_llm"},
        {"gen_ai.system": "gcp.vertex.agent", "gen_ai.request.model": "gemini-2.5-flash",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
         "gcp.vertex.agent.llm_response": json.dumps({"usage_metadata": {
             "prompt_token_count": 100, "candidates_token_count": 7, "thoughts_token_count": 9,
             "tool_use_prompt_token_count": 11, "cached_content_token_count": 30}})},
        usage(111, 16, cached_input_tokens=30, reasoning_tokens=9),
    ),
    (
        "Logfire keeps the provider's own object",
        {"scope": "logfire.anthropic", "version": "5.2.0"},
        CHAT | {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 70,
                "gen_ai.usage.raw": '{"input_tokens": 50, "output_tokens": 70, "cache_read_input_tokens": 50, '
                                    '"output_tokens_details": {"thinking_tokens": 40}}'},
        usage(100, 70, cached_input_tokens=50, reasoning_tokens=40),
    ),
    (
        "Logfire 4 only in the answer",
        {"scope": "logfire.anthropic", "version": "4.14.2", "name": "Message with {request_data[model]!r}"},
        {"gen_ai.system": "anthropic", "gen_ai.request.model": "claude-sonnet-4-5",
         "response_data": '{"message": {"content": "x"}, "usage": {"input_tokens": 70, "output_tokens": 7, '
                          '"cache_read_input_tokens": 30, "cache_creation_input_tokens": 0}}'},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "LangSmith keeps the details in its metadata",
        {"scope": "langsmith", "version": "0.15.0"},
        CHAT | {"langsmith.span.kind": "llm", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 70,
                "langsmith.metadata.usage_metadata": '{"input_tokens": 100, "output_tokens": 70, '
                '"input_token_details": {"cache_read": 30, "cache_creation": 0, "ephemeral_1h_input_tokens": 5, '
                '"ephemeral_5m_input_tokens": 4}, "output_token_details": {"reasoning": 9}}'},
        usage(100, 70, cached_input_tokens=30, cache_write_tokens=9, cache_write_1h_tokens=5, reasoning_tokens=9),
    ),
    (
        "Haystack only in the agent's output",
        {"scope": "haystack", "name": "haystack.agent.step.llm"},
        {"haystack.agent.step.llm.output": '{"replies": [{"role": "assistant", "meta": {"model": "gpt-4o-2024-08-06",'
         ' "usage": {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 30}}},'
         ' "content": [{"text": "hello"}]}]}'},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "smolagents under OpenInference: the cache is in the raw answer only",
        {"scope": "openinference.instrumentation.smolagents", "version": "0.1.43"},
        {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 100,
         "llm.token_count.completion": 7, "output.value": json.dumps({"role": "assistant", "raw": {
             "id": "chatcmpl-0123456789", "usage": {"prompt_tokens": 100, "completion_tokens": 7,
                                                    "prompt_tokens_details": {"cached_tokens": 30}}}})},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "Traceloop's Cohere sends doubles",
        {"scope": "opentelemetry.instrumentation.cohere", "version": "0.62.4"},
        {"gen_ai.system": "Cohere", "llm.request.type": "chat", "gen_ai.request.model": "command-r-plus",
         "gen_ai.usage.prompt_tokens": 1151.0, "gen_ai.usage.completion_tokens": 53.0},
        usage(1151, 53),
    ),
    (
        "Traceloop's Vertex AI leaves the thoughts to the total",
        {"scope": "opentelemetry.instrumentation.vertexai", "version": "0.62.4"},
        {"gen_ai.system": "vertexai", "llm.request.type": "completion", "gen_ai.request.model": "gemini-2.5-pro",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7, "llm.usage.total_tokens": 116},
        usage(100, 16, reasoning_tokens=9),
    ),
    (
        "Semantic Kernel",
        {"scope": "semantic_kernel.utils.telemetry.model_diagnostics.decorators"},
        {"gen_ai.operation.name": "chat.completions", "gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
         "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7},
        usage(100, 7),
    ),
    (
        "the Anthropic SDK's own span has the hour apart",
        {"scope": "com.anthropic.sdk.python", "version": "1.17.0"},
        CHAT | {"gen_ai.usage.input_tokens": 150, "gen_ai.usage.output_tokens": 7,
                "gen_ai.usage.cache_read.input_tokens": 30, "gen_ai.usage.cache_write.input_tokens": 20,
                "anthropic.usage.cache_creation.ephemeral_5m_input_tokens": 12,
                "anthropic.usage.cache_creation.ephemeral_1h_input_tokens": 8},
        usage(150, 7, cached_input_tokens=30, cache_write_tokens=20, cache_write_1h_tokens=8),
    ),
    (
        "the Mistral SDK's own span",
        {"scope": "mistralai_sdk_tracer", "name": "chat_completion_v1"},
        {"gen_ai.provider.name": "mistral_ai", "gen_ai.request.model": "mistral-small-latest",
         "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.output_tokens": 7},
        usage(100, 7),
    ),
    (
        "Sentry's names",
        {"scope": "sentry.python"},
        {"sentry.op": "gen_ai.chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 100,
         "gen_ai.usage.output_tokens": 70, "gen_ai.usage.input_tokens.cached": 30,
         "gen_ai.usage.output_tokens.reasoning": 9},
        usage(100, 70, cached_input_tokens=30, reasoning_tokens=9),
    ),
    (
        "thoughts that exceed the output are outside it",
        {"scope": "unheard.of"},
        CHAT | {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
                "gen_ai.usage.reasoning.output_tokens": 9},
        usage(100, 16, reasoning_tokens=9),
    ),
    (
        "xAI's total shows that thoughts are outside",
        {"scope": "unheard.of"},
        CHAT | {"gen_ai.provider.name": "xai", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 70,
                "gen_ai.usage.total_tokens": 179, "gen_ai.usage.reasoning_tokens": 9},
        usage(100, 79, reasoning_tokens=9),
    ),
    (
        "our own words come first",
        {"scope": "my-app"},
        {"finops.usage.input_tokens": 100, "finops.usage.output_tokens": 7, "finops.model": "house-model",
         "finops.usage.cached_input_tokens": 30, "gen_ai.usage.input_tokens": 999},
        usage(100, 7, cached_input_tokens=30),
    ),
    (
        "Claude Code's span leaves the cache out",
        {"scope": "com.anthropic.claude_code.tracing", "name": "claude_code.llm_request"},
        {"span.type": "llm_request", "model": "claude-sonnet-4-5", "input_tokens": 100, "output_tokens": 7,
         "cache_read_tokens": 30, "cache_creation_tokens": 20, "request_id": "req_0123456789abcdef"},
        usage(150, 7, cached_input_tokens=30, cache_write_tokens=20),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("how", "said", "expected"), [case[1:] for case in CALLS], ids=[case[0] for case in CALLS])
def test_a_call_states_its_usage(how: dict[str, Any], said: dict[str, Any], expected: TokenUsage) -> None:
    found = read(said, **how)
    assert (found.span_class, found.usage) == (SpanClass.CALL, expected)


ESTIMATES = [
    ({"scope": "openlit.otel.tracing"}, {"gen_ai.request.is_stream": True}),
    ({"scope": "openlit.instrumentation.openai"}, {"gen_ai.request.stream": True}),
    ({"scope": "opentelemetry.instrumentation.google_genai", "version": "0.4b0"},
     {"code.function.name": "google.genai.Models.generate_content_stream"}),
]  # fmt: skip


@pytest.mark.parametrize(("how", "streamed"), ESTIMATES)
def test_a_librarys_guess_is_never_usage(how: dict[str, Any], streamed: dict[str, Any]) -> None:
    said = CHAT | {"gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 21}
    found = read(said | streamed, **how)
    assert (found.span_class, found.usage, found.flags) == (SpanClass.CALL, None, ("estimated",))
    assert read(said, **how).usage == TokenUsage(40, 21)


def test_a_guess_of_traceloop_js_is_set_before_the_model_is_known() -> None:
    guess = [("gen_ai.usage.input_tokens", 4), ("gen_ai.usage.output_tokens", 11), ("gen_ai.response.model", "gpt-4o")]
    head = list(CHAT.items())
    assert read(head + guess, scope="@traceloop/instrumentation-openai").flags == ("estimated",)
    assert read(head + guess[::-1], scope="@traceloop/instrumentation-openai").usage == TokenUsage(4, 11)


CLASSES = [
    ("ai", "", {"ai.operationId": "ai.generateText", "ai.usage.inputTokens": 9}, SpanClass.AGGREGATE),
    ("ai", "", {"ai.operationId": "ai.toolCall", "ai.toolCall.name": "search"}, SpanClass.TOOL),
    ("gen_ai", "", {"gen_ai.operation.name": "agent_step"}, SpanClass.AGGREGATE),
    ("x", "", {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}, SpanClass.AGENT),
    ("x", "", {"gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "a"}, SpanClass.OTHER),
    ("x", "", {"gen_ai.operation.name": "fetch_response", "gen_ai.usage.input_tokens": 9}, SpanClass.FETCH),
    ("azure.ai.agents", "", {"gen_ai.operation.name": "get_thread_run", "gen_ai.thread.run.id": "r"}, SpanClass.FETCH),
    ("x", "", {"mcp.method.name": "tools/call", "gen_ai.tool.name": "t"}, SpanClass.TOOL),
    ("openinference.x", "", {"openinference.span.kind": "AGENT"}, SpanClass.AGENT),
    ("openinference.x", "", {"openinference.span.kind": "RETRIEVER"}, SpanClass.OTHER),
    ("t", "", {"traceloop.span.kind": "workflow", "traceloop.entity.name": "w"}, SpanClass.AGGREGATE),
    ("pydantic-ai", "agent run", {"gen_ai.usage.input_tokens": 9, "model_name": "gpt-4o"}, SpanClass.AGENT),
    ("pydantic-ai", "running tool", {"gen_ai.tool.name": "t"}, SpanClass.TOOL),
    ("pydantic-ai", "running tools", {"logfire.msg": "running 2 tools"}, SpanClass.AGGREGATE),
    ("litellm", "cache.get llm_response", {"litellm.call_type": "x"}, SpanClass.OTHER),
    ("x.smolagents", "FinalAnswerTool", {"openinference.span.kind": "TOOL"}, SpanClass.OTHER),
    ("x.openai_agents", "handoff to b", {"openinference.span.kind": "TOOL"}, SpanClass.OTHER),
    ("x", "", {"logfire.span_type": "pending_span", "gen_ai.operation.name": "chat"}, SpanClass.PLAIN),
    ("codex", "session_task.turn", {"codex.turn.token_usage.input_tokens": 9, "model": "gpt-5"}, SpanClass.AGENT),
    ("x", "", {"lmnr.span.type": "LLM", "gen_ai.usage.input_tokens": 9}, SpanClass.CALL),
    ("genkit-tracer", "", {"genkit:metadata:subtype": "model"}, SpanClass.CALL),
    ("x", "", {"agentops.span.kind": "llm"}, SpanClass.CALL),
    ("x", "", {"gen_ai.usage.input_tokens": 9, "gen_ai.request.model": "m"}, SpanClass.CALL),
    ("x", "", {"gen_ai.something.new": 1}, SpanClass.PLAIN),
]  # fmt: skip


@pytest.mark.parametrize(("scope", "name", "said", "expected"), CLASSES)
def test_a_span_is_what_its_words_mean(scope: str, name: str, said: dict[str, Any], expected: SpanClass) -> None:
    assert read(said, scope=scope, name=name).span_class is expected


PROVIDERS = [
    ({"gen_ai.system": "az.ai.openai"}, "azure.ai.openai"),
    ({"gen_ai.provider.name": "Azure"}, "azure.ai.openai"),
    ({"gen_ai.system": "xai"}, "x_ai"),
    ({"gen_ai.system": "vertex_ai"}, "gcp.vertex_ai"),
    ({"gen_ai.provider.name": "langchain"}, None),
    ({"gen_ai.provider.name": "strands-agents", "gen_ai.request.model": "claude-haiku-4-5"}, "anthropic"),
    ({"gen_ai.provider.name": "openai", "server.address": "api.groq.com"}, "groq"),
    ({"gen_ai.provider.name": "openai", "server.address": "myres.openai.azure.com"}, "azure.ai.openai"),
    ({"gen_ai.system": "openai", "gen_ai.openai.api_base": "http://api.deepseek.com:443/v1/"}, "deepseek"),
    ({"gen_ai.provider.name": "anthropic", "server.address": "api.groq.com"}, "anthropic"),
    ({"gen_ai.provider.name": "openai", "server.address": "127.0.0.1"}, "openai"),
    ({"gen_ai.system": "anthropic", "gen_ai.request.model": "us.anthropic.claude-sonnet-4-5-v1:0"}, "aws.bedrock"),
    ({"gen_ai.provider.name": "brand_new_cloud"}, "brand_new_cloud"),
    ({"llm.provider": "azure", "llm.system": "openai"}, "azure.ai.openai"),
    ({"litellm.provider.model": "anthropic/claude-sonnet-4-5", "gen_ai.provider.name": "openai"}, "anthropic"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "expected"), PROVIDERS)
def test_a_provider_has_one_name_and_a_framework_is_none(said: dict[str, Any], expected: str | None) -> None:
    assert read({"gen_ai.operation.name": "chat"} | said).provider == expected


def test_a_router_prefix_is_no_part_of_the_model() -> None:
    said = {"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "openai/gpt-4o-mini"}
    assert read(said).request_model == "gpt-4o-mini"
    routed = CHAT | {"gen_ai.provider.name": "openrouter", "gen_ai.request.model": "anthropic/claude-sonnet-4.5"}
    assert read(routed).request_model == "anthropic/claude-sonnet-4.5"


def test_an_answers_id_is_no_session() -> None:
    own = read(CHAT | {"gen_ai.conversation.id": "resp_159b80e352794001b6c23ffb"}).own
    assert own.session is None
    assert read(CHAT | {"gen_ai.conversation.id": "resp_1", "session.id": "s"}).own.session == "s"


@pytest.mark.parametrize(
    ("said", "agent"),
    [
        ({"gen_ai.agent.name": "planner", "gen_ai.agent.id": "0f58776c-c500-41a6-a2f6-116ab60ba7de"}, "planner"),
        ({"gen_ai.agent.id": "0f58776c-c500-41a6-a2f6-116ab60ba7de"}, None),
        ({"gen_ai.agent.id": "asst_AbCdEf0123456789AbCdEf01"}, None),
        ({"gen_ai.agent.id": "planner"}, "planner"),
        ({"finops.agent": "mine", "gen_ai.agent.name": "planner"}, "mine"),
        ({"agent_name": "old"}, "old"),
        ({"gen_ai.agent.name": "RunnableSequence"}, None),
    ],
)
def test_an_agent_is_a_name_that_people_know(said: dict[str, Any], agent: str | None) -> None:
    assert read(CHAT | said).own.agent == agent


def test_a_plain_chain_is_no_agent_run() -> None:
    said = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "RunnableSequence"}
    assert read(said, scope="opentelemetry.instrumentation.langchain").span_class is SpanClass.AGGREGATE


def test_an_agents_frame_counts_no_run_of_its_own() -> None:
    scope = "openinference.instrumentation.openai_agents"
    frame = read({"openinference.span.kind": "AGENT"}, scope=scope, name="Agent workflow")
    agent = read({"openinference.span.kind": "AGENT", "agent.name": "triage"}, scope=scope, name="triage")
    assert (frame.agent_run, agent.agent_run) == (None, "triage")


def test_running_totals_of_an_agent_object_are_marked() -> None:
    said = {"gen_ai.provider.name": "strands-agents", "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "a", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7}  # fmt: skip
    assert read(said).flags == ("cumulativeUsage",)


HITS = [
    ({"gen_ai.cache.hit": True}, "unknown"),
    ({"finops.cache.hit": "true", "finops.cache.kind": "semantic"}, "semantic"),
    ({"http.response.header.x-portkey-cache-status": ["SEMANTIC HIT"]}, "semantic"),
    ({"http.response.header.cf-aig-cache-status": ["HIT"]}, "exact"),
    ({"http.response.header.helicone-cache": ["MISS"]}, None),
    ({"litellm.cache_hit": False}, None),
    ({"hidden_params": "{'cache_hit': True, 'api_base': None}"}, "unknown"),
    ({"gen_ai.usage.cache_read.input_tokens": 30}, None),
]


@pytest.mark.parametrize(("said", "kind"), HITS)
def test_a_response_cache_marks_its_hits(said: dict[str, Any], kind: str | None) -> None:
    assert read(CHAT | {"gen_ai.usage.input_tokens": 100} | said).cache_hit == kind


TIERS = [
    ({"openai.response.service_tier": "flex", "openai.request.service_tier": "auto"}, "flex"),
    ({"gen_ai.openai.request.service_tier": "auto"}, None),
    ({"gen_ai.openai.request.service_tier": "priority"}, "priority"),
    ({"anthropic.response.service_tier": "batch"}, "batch"),
]


@pytest.mark.parametrize(("said", "tier"), TIERS)
def test_the_tier_is_the_answers_then_the_requests(said: dict[str, Any], tier: str | None) -> None:
    assert read(CHAT | said).service_tier == tier


COSTS = [
    ({"operation.cost": 0.00021345}, 213_450_000),
    ({"gen_ai.usage.cost": 1.8599999999999998e-05}, 18_600_000),
    ({"llm.cost.total": 0}, None),
    ({"tensorzero.cost_usd": "0.5"}, 500_000_000_000),
    ({"langfuse.observation.cost_details": '{"input": 0.01, "output": 0.02}'}, 30_000_000_000),
    ({"gen_ai.cost.total_cost": float("nan")}, None),
]


@pytest.mark.parametrize(("said", "pico"), COSTS)
def test_a_senders_own_cost_is_kept_beside_ours(said: dict[str, Any], pico: int | None) -> None:
    assert read(CHAT | said).reported_cost_pico_usd == pico


def test_one_count_alone_is_partial_and_zeros_are_no_usage() -> None:
    half = read(CHAT | {"gen_ai.usage.input_tokens": 100})
    assert (half.usage, half.flags) == (TokenUsage(100, 0), ("partialUsage",))
    assert read(CHAT | {"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}).usage is None


def test_parts_that_do_not_fit_are_clamped_and_flagged() -> None:
    said = CHAT | {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7,
                   "gen_ai.usage.audio.input_tokens": 500}  # fmt: skip
    found = read(said)
    assert found.usage is not None
    assert found.usage.input_audio_tokens == 100
    assert "clamped" in found.flags


def test_an_unknown_emitters_cache_is_taken_as_inside_and_flagged() -> None:
    said = CHAT | CACHED | {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 7}
    assert read(said).flags == ("inclusiveAssumed",)


def test_a_previous_answers_id_is_not_the_calls_own() -> None:
    usage = {"input_tokens": 10, "output_tokens": 2, "input_tokens_details": {"cached_tokens": 0}}
    answer = {"previous_response_id": "resp_old_0123456789", "id": "resp_new_0123456789", "usage": usage}
    said = {"openinference.span.kind": "LLM", "output.value": json.dumps(answer), "llm.model_name": "gpt-5"}
    assert read(said).response_id == "resp_new_0123456789"


@pytest.mark.parametrize(
    "payload",
    [
        "not json",
        "{",
        '{"usage": "none"}',
        "[" * 50_000,
        "{'a': __import__('os')}",
        '{"usage": {"prompt_tokens": true}}',
    ],
)
def test_a_payload_that_is_no_answer_says_nothing(payload: str) -> None:
    said = CHAT | {"openinference.span.kind": "LLM", "gen_ai.usage.input_tokens": 100,
                   "gen_ai.usage.output_tokens": 7, "output.value": payload}  # fmt: skip
    assert read(said).usage == TokenUsage(100, 7)


def test_a_replayed_answer_without_id_gets_the_id_of_its_content() -> None:
    said = {"openinference.span.kind": "LLM", "llm.model_name": "gpt-4o", "llm.token_count.prompt": 100,
            "llm.token_count.completion": 7, "input.value": "question", "output.value": "answer"}  # fmt: skip
    cached = said | {"llm.invocation_parameters": '{"model": "gpt-4o", "caching": true}'}
    one, two = read(cached), read(cached | {"output.value": "other"})
    assert one.response_id is not None
    assert one.response_id != two.response_id
    assert "question" not in one.response_id
    assert read(said).response_id is None


def test_a_graph_step_around_one_model_call_is_that_call() -> None:
    message = {"kwargs": {"response_metadata": {"id": "chatcmpl-0123456789", "token_usage": {
        "prompt_tokens": 100, "completion_tokens": 70, "completion_tokens_details": {"reasoning_tokens": 9}}},
        "usage_metadata": {"input_tokens": 100, "output_tokens": 70}}}  # fmt: skip
    said = {"traceloop.span.kind": "task", "gen_ai.operation.name": "execute_task", "traceloop.entity.name": "model"}
    one = read(said | {"traceloop.entity.output": json.dumps({"outputs": [{"update": {"messages": [message]}}]})})
    two = read(said | {"traceloop.entity.output": json.dumps({"outputs": [{"update": {"messages": [message] * 2}}]})})
    assert (one.span_class, one.usage) == (SpanClass.CALL, TokenUsage(100, 70, reasoning_tokens=9))
    assert one.response_id == "chatcmpl-0123456789"
    assert (two.span_class, two.usage) == (SpanClass.AGGREGATE, None)

"""The shapes of answers and usage objects in every provider's own words, as far as usage goes.

``msgspec`` decodes the fields named here and skips the rest of a payload without making objects of it.
"""

from typing import Any

import msgspec

Number = int | float | None


class Parts(msgspec.Struct):
    """The sub-counts of a usage object, in any provider's words."""

    cached_tokens: Number = None
    cache_read: Number = None
    cache_creation: Number = None
    cache_write_tokens: Number = None
    cache_creation_tokens: Number = None
    ephemeral_5m_input_tokens: Number = None
    ephemeral_1h_input_tokens: Number = None
    audio_tokens: Number = None
    audio: Number = None
    image_tokens: Number = None
    reasoning_tokens: Number = None
    reasoning: Number = None
    thinking_tokens: Number = None


class Usage(msgspec.Struct):
    """A usage object, in any provider's words."""

    cached_tokens: Number = None
    cache_write_tokens: Number = None
    cache_creation: Parts | int | float | None = None

    prompt_tokens: Number = None
    completion_tokens: Number = None
    prompt_cache_hit_tokens: Number = None
    prompt_tokens_details: Parts | list[Any] | None = None
    completion_tokens_details: Parts | list[Any] | None = None
    input_tokens: Number = None
    output_tokens: Number = None
    input_tokens_details: Parts | list[Any] | None = None
    output_tokens_details: Parts | list[Any] | None = None
    input_token_details: Parts | None = None
    output_token_details: Parts | None = None
    cache_read_input_tokens: Number = None
    cache_creation_input_tokens: Number = None
    cache_creation_input_tokens_above_1hr: Number = None
    cached_prompt_tokens: Number = None
    total_tokens: Number = None
    server_tool_use: dict[str, Any] | None = None
    prompt_token_count: Number = None
    candidates_token_count: Number = None
    thoughts_token_count: Number = None
    cached_content_token_count: Number = None
    tool_use_prompt_token_count: Number = None
    prompt_token_count_camel: Number = msgspec.field(default=None, name="promptTokenCount")
    candidates_token_count_camel: Number = msgspec.field(default=None, name="candidatesTokenCount")
    thoughts_token_count_camel: Number = msgspec.field(default=None, name="thoughtsTokenCount")
    cached_content_camel: Number = msgspec.field(default=None, name="cachedContentTokenCount")
    tool_use_prompt_camel: Number = msgspec.field(default=None, name="toolUsePromptTokenCount")
    input_camel: Number = msgspec.field(default=None, name="inputTokens")
    output_camel: Number = msgspec.field(default=None, name="outputTokens")
    cache_read_camel: Number = msgspec.field(default=None, name="cacheReadInputTokens")
    cache_write_camel: Number = msgspec.field(default=None, name="cacheWriteInputTokens")
    cached_input_camel: Number = msgspec.field(default=None, name="cachedInputTokens")
    reasoning_camel: Number = msgspec.field(default=None, name="reasoningTokens")


class ResponseMetadata(msgspec.Struct):
    id: str | None = None
    model_name: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    token_usage: Usage | None = None


class MessageKwargs(msgspec.Struct):
    usage_metadata: Usage | None = None
    response_metadata: ResponseMetadata | None = None


class Message(MessageKwargs):
    kwargs: MessageKwargs | None = None


class State(msgspec.Struct):
    messages: list[Message] = []


class Update(msgspec.Struct):
    update: State | None = None


class Step(msgspec.Struct):
    """The output of one step of a LangGraph graph."""

    outputs: list[Update] = []


class Generation(msgspec.Struct):
    message: Message | None = None


class ReplyMeta(msgspec.Struct):
    """What Haystack keeps of an answer."""

    id: str | None = None
    model: str | None = None
    usage: Usage | None = None


class Reply(msgspec.Struct):
    """A chat message of Haystack."""

    meta: ReplyMeta | None = None
    older_meta: ReplyMeta | None = msgspec.field(default=None, name="_meta")


class Answer(Usage):
    """A whole answer with its usage, or the usage object itself."""

    id: str | None = None
    response_id: str | None = msgspec.field(default=None, name="responseId")
    model: Any = None
    model_version: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    usage_metadata: Usage | None = None
    usage_metadata_camel: Usage | None = msgspec.field(default=None, name="usageMetadata")
    response: "Inner | None" = None
    raw: "Inner | None" = None
    replies: list[Reply | str] | None = None
    meta: list[ReplyMeta] | ReplyMeta | None = None
    response_metadata: ResponseMetadata | None = None
    generations: list[list[Generation]] | None = None
    llm_output: ResponseMetadata | None = None


class Inner(Usage):
    id: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None


class Native(msgspec.Struct):
    usage: Usage | None = None
    service_tier: str | None = msgspec.field(default=None, name="serviceTier")


class ProviderMetadata(msgspec.Struct):
    """The AI SDK's providerMetadata: the provider's own object under its name."""

    anthropic: Native | None = None
    bedrock: Native | None = None
    openai: Native | None = None


class Labels(msgspec.Struct):
    """Free metadata of LangChain and its callbacks."""

    session_id: str | None = None
    thread_id: str | None = None
    session_id_camel: str | None = msgspec.field(default=None, name="sessionId")
    user_id: str | None = None
    user_id_camel: str | None = msgspec.field(default=None, name="userId")
    trace_user_id: str | None = None
    user: str | None = None
    ls_provider: str | None = None
    lc_agent_name: str | None = None
    caching: bool | None = None
    metadata: "Labels | None" = None


class Hidden(msgspec.Struct):
    cache_hit: bool | None = None

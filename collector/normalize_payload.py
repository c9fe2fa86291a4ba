"""Usage and identity out of attributes that hold a whole answer as JSON or as a Python literal.

Only the named fields are ever decoded: ``msgspec`` skips the rest without making objects of it, so no prompt or answer
text comes to life here. A usage object is recognised by its own words (OpenAI, Anthropic, Gemini, Bedrock, LangChain,
Langfuse), which also say whether cached and reasoning tokens are inside the totals: that is better evidence than any
profile. Nothing is evaluated; what does not parse says nothing.
"""

import re
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from collector import normalize_shapes as shapes
from collector.normalize_literal import as_json
from collector.normalize_words import PayloadUsage, bucket_counts, counts_of, first, to_int, total_write
from collector.values import TEXT_CAPS, clean_text
from finops.money import pico

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
"""What reading a payload may end in; it then says nothing."""


class Payload(NamedTuple):
    """What one payload says: usage, the answer's id, the tier, the model that answered."""

    usage: PayloadUsage | None = None
    response_id: str | None = None
    service_tier: str | None = None
    model: str | None = None


class Labels(NamedTuple):
    """Who a span belongs to, as free metadata says."""

    session: str | None
    user: str | None
    provider: str | None
    agent: str | None
    caching: bool
    """A response cache was asked for."""


_NOTHING: Final = Payload()
_ANSWER = msgspec.json.Decoder(shapes.Answer)
_DETAILS = msgspec.json.Decoder(shapes.Parts)
_STEP = msgspec.json.Decoder(shapes.Step)
_UPDATES = msgspec.json.Decoder(list[shapes.Update])
_ANSWERS = msgspec.json.Decoder(list[shapes.Answer])
_METADATA = msgspec.json.Decoder(shapes.ProviderMetadata)
_LABELS = msgspec.json.Decoder(shapes.Labels)
_HIDDEN = msgspec.json.Decoder(shapes.Hidden)
_BUCKETS = msgspec.json.Decoder(dict[str, Any])
_COSTS = msgspec.json.Decoder(dict[str, Decimal | None])


def read_payload(data: bytes, form: str) -> Payload:
    """What a payload of a known form says; nothing where it does not parse."""
    try:
        if form == "metadata":
            return _of_metadata(_METADATA.decode(data))
        if form == "buckets":
            counts = bucket_counts(_BUCKETS.decode(data))
            return Payload(counts) if counts else _of_answer(_ANSWER.decode(data), "answer")
        if form == "step":
            return _of_step(_UPDATES.decode(data) if data[:1] == b"[" else _STEP.decode(data).outputs)
        if form in ("inputDetails", "outputDetails"):
            return _of_details(_DETAILS.decode(as_json(data)), form)
        if data[:1] == b"[":
            answers = _ANSWERS.decode(data)
            return _of_answer(answers[-1], form) if answers else _NOTHING
        return _of_answer(_ANSWER.decode(as_json(data)), form)
    except UNREADABLE:
        return _NOTHING


def read_labels(data: bytes) -> Labels | None:
    """Session, user, provider and agent out of free metadata or of a call's parameters."""
    try:
        labels = _LABELS.decode(as_json(data))
    except UNREADABLE:
        return None
    inner = labels.metadata or labels
    session = inner.session_id or inner.session_id_camel or inner.thread_id
    user = inner.user_id or inner.user_id_camel or inner.trace_user_id or labels.user
    return Labels(
        _text(session, "session"),
        _text(user, "text"),
        _text(inner.ls_provider, "text"),
        _text(inner.lc_agent_name, "agent"),
        labels.caching is True,
    )


def read_cache_hit(data: bytes) -> bool | None:
    """LiteLLM's hidden_params.cache_hit."""
    try:
        return _HIDDEN.decode(as_json(data)).cache_hit
    except UNREADABLE:
        return None


def read_cost(data: bytes) -> int | None:
    """The total of a cost object in pico-USD, or the sum of its parts where it names no total."""
    try:
        costs = _COSTS.decode(data)
    except UNREADABLE:
        return None
    total = costs.get("total") or costs.get("total_cost") or sum((part for part in costs.values() if part), Decimal(0))
    return pico(total) if total.is_finite() and 0 < total < 10_000_000 else None


def _of_answer(answer: shapes.Answer, form: str) -> Payload:
    inner = answer.response or answer.raw
    reply = _reply(answer)
    if reply is not None and reply.usage is not None:
        return Payload(counts_of(reply.usage, False), _response_id(reply.id), None, _text(reply.model, "model"))
    langchain = _langchain(answer)
    usage = (
        answer.usage
        or answer.usage_metadata
        or answer.usage_metadata_camel
        or (inner.usage if inner else None)
        or (langchain.usage if langchain else None)
        or answer
    )
    tier = answer.service_tier or (inner.service_tier if inner else None) or (langchain.tier if langchain else None)
    named = answer.response_id or (langchain.id if langchain else answer.id) or (inner.id if inner else None)
    counts = counts_of(usage, inclusive=form == "inclusive")
    model = answer.model if isinstance(answer.model, str) else langchain.model if langchain else None
    return Payload(counts, _response_id(named), _text(tier, "text"), _text(model or answer.model_version, "model"))


def _reply(answer: shapes.Answer) -> shapes.ReplyMeta | None:
    """What Haystack keeps of the last of its replies."""
    last = answer.replies[-1] if answer.replies else None
    if isinstance(last, shapes.Reply):
        return last.meta or last.older_meta
    return answer.meta[-1] if isinstance(answer.meta, list) and answer.meta else None


class _LangChainAnswer(NamedTuple):
    usage: shapes.Usage | None
    id: str | None
    tier: str | None
    model: str | None


def _langchain(answer: shapes.Answer) -> _LangChainAnswer | None:
    """LangChain's result: the usage of its last generation and what the provider's own metadata names."""
    generation = answer.generations[-1][-1] if answer.generations and answer.generations[-1] else None
    message = generation.message if generation else None
    kwargs = message.kwargs if message else None
    metadata = (kwargs.response_metadata if kwargs else None) or answer.response_metadata or answer.llm_output
    if generation is None and metadata is None:
        return None
    usage = (kwargs.usage_metadata if kwargs else None) or (message.usage_metadata if message else None)
    if metadata is None:
        return _LangChainAnswer(usage, None, None, None)
    usage = metadata.token_usage or metadata.usage or usage
    return _LangChainAnswer(usage, metadata.id, metadata.service_tier, metadata.model_name)


def _of_metadata(metadata: shapes.ProviderMetadata) -> Payload:
    native = metadata.anthropic or metadata.bedrock or metadata.openai
    if native is None:
        return _NOTHING
    counts = counts_of(native.usage, inclusive=False) if native.usage else None
    return Payload(counts, None, _text(native.service_tier, "text"))


def _of_step(updates: list[shapes.Update]) -> Payload:
    """What one model call left in a graph step's output; nothing where the step made none or several."""
    messages = [message for update in updates if update.update for message in update.update.messages]
    found = [said for message in messages if (said := message.kwargs or message) and said.usage_metadata]
    if len(found) != 1:
        return _NOTHING
    metadata = found[0].response_metadata or shapes.ResponseMetadata()
    usage = metadata.token_usage or metadata.usage or found[0].usage_metadata
    counts = counts_of(usage, inclusive=usage is found[0].usage_metadata) if usage else None
    tier, model = _text(metadata.service_tier, "text"), _text(metadata.model_name, "model")
    return Payload(counts, _response_id(metadata.id), tier, model)


def _of_details(answer: shapes.Parts, form: str) -> Payload:
    if form == "inputDetails":
        return Payload(
            PayloadUsage(
                cached_input_tokens=to_int(first(answer.cache_read, answer.cached_tokens)),
                cache_write_tokens=to_int(total_write(answer)),
                input_audio_tokens=to_int(first(answer.audio, answer.audio_tokens)),
            )
        )
    return Payload(
        PayloadUsage(
            reasoning_tokens=to_int(first(answer.reasoning, answer.reasoning_tokens)),
            output_audio_tokens=to_int(first(answer.audio, answer.audio_tokens)),
        )
    )


def _text(text: str | None, kind: str) -> str | None:
    return clean_text(text, TEXT_CAPS[kind]) if text else None


_LANGCHAIN_RUN = re.compile(r"(?:lc_run-|run-)")


def _response_id(text: str | None) -> str | None:
    return None if text is None or _LANGCHAIN_RUN.match(text) else _text(text, "id")

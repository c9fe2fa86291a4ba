"""An agent that researches: it looks in its answer cache, reads documents with tools, and streams what it found.

The OpenAI calls are traced by the instrumentation alone. The agent itself adds what only it can know, with a few
lines of the OpenTelemetry API: which run of which agent in which conversation, and the tools it executed.
"""

import secrets
from typing import Any

from openai import OpenAI
from openai.types import CompletionUsage
from opentelemetry import trace
from opentelemetry.trace import SpanKind

AGENT = "research_agent"
PROVIDER = "openai"
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("search_library", "read_document")
]
DOCUMENT = "The committee considered the figures and found them in order. " * 500

tracer = trace.get_tracer(AGENT)


def main() -> None:
    """Three conversations: a short question, one that reads far too much, and the short question again."""
    question = "What did the committee find?"
    with conversation("short-question") as session:
        client = connect(session)
        remember(client, question)
        usage = research(client, question, "gpt-4o-mini", DOCUMENT[:2400])
    with conversation("reads-everything") as session:
        client = connect(session)
        messages: list[Any] = []
        for chapter in range(1, 7):
            messages.append({"role": "user", "content": f"Read chapter {chapter}, all of it."})
            research_further(client, messages, "gpt-4o", DOCUMENT)
    with conversation("same-question") as session:
        client = connect(session)
        remember(client, question)
        answer_from_cache("gpt-4o-mini", usage)


def conversation(topic: str) -> "Conversation":
    """One run of this agent in one conversation; what happens inside belongs to both."""
    return Conversation(f"{topic}-{secrets.token_hex(3)}")


class Conversation:
    """An ``invoke_agent`` span; entering it gives the conversation's id."""

    def __init__(self, session: str) -> None:
        self.session = session
        self._span = tracer.start_as_current_span(
            f"invoke_agent {AGENT}",
            attributes={
                "gen_ai.operation.name": "invoke_agent",
                "gen_ai.agent.name": AGENT,
                "gen_ai.conversation.id": session,
            },
        )

    def __enter__(self) -> str:
        self._span.__enter__()
        return self.session

    def __exit__(self, *error: Any) -> None:
        self._span.__exit__(*error)


def connect(session: str) -> OpenAI:
    """A client; the header tells the example model server whose bill it is, agent-finops never sees it."""
    return OpenAI(default_headers={"X-Session": session})


def remember(client: OpenAI, question: str) -> None:
    """Looks the question up among those answered before."""
    client.embeddings.create(model="text-embedding-3-small", input=question)


def research(client: OpenAI, question: str, model: str, document: str) -> CompletionUsage:
    """Answers one question; returns what the final answer used."""
    return research_further(client, [{"role": "user", "content": question}], model, document)


def research_further(client: OpenAI, messages: list[Any], model: str, document: str) -> CompletionUsage:
    """Uses tools for as long as the model asks for them, then streams the answer; ``messages`` grows."""
    for _ in TOOLS:
        message = client.chat.completions.create(model=model, messages=messages, tools=TOOLS).choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls or []:
            content = execute_tool(call.function.name, document)  # type: ignore[union-attr]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
    return stream_answer(client, messages, model)


def execute_tool(name: str, document: str) -> str:
    """What the tool gave back."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name}
    with tracer.start_as_current_span(f"execute_tool {name}", attributes=attributes):
        return document if name == "read_document" else "1 document"


def stream_answer(client: OpenAI, messages: list[Any], model: str) -> CompletionUsage:
    """Streams the answer into ``messages``; asks for the usage, which a stream otherwise leaves out."""
    words, usage = [], None
    with client.chat.completions.create(
        model=model, messages=messages, tools=TOOLS, stream=True, stream_options={"include_usage": True}
    ) as stream:
        for chunk in stream:
            words += [choice.delta.content or "" for choice in chunk.choices]
            usage = chunk.usage or usage
    messages.append({"role": "assistant", "content": "".join(words)})
    if usage is None:
        raise RuntimeError("the stream ended without its usage")
    return usage


def answer_from_cache(model: str, avoided: CompletionUsage) -> None:
    """Answers from the agent's own cache: a chat span that says so, with the usage of the call it made unnecessary."""
    attributes: dict[str, str | int | bool] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDER,
        "gen_ai.request.model": model,
        "gen_ai.usage.input_tokens": avoided.prompt_tokens,
        "gen_ai.usage.output_tokens": avoided.completion_tokens,
        "gen_ai.cache.hit": True,
        "finops.cache.kind": "semantic",
    }
    with tracer.start_as_current_span(f"chat {model}", kind=SpanKind.CLIENT, attributes=attributes):
        pass


if __name__ == "__main__":
    main()

"""An agent that answers tickets: it looks the customer up, lets a reasoning model decide, and writes the reply.

The same few lines of the OpenTelemetry API as in ``research_agent``, here in the form most code already has:
a span around a run, a span around a tool.
"""

import secrets
from typing import Any

from openai import OpenAI
from opentelemetry import trace

AGENT = "support_agent"
TICKETS = ("My invoice is wrong.", "The parcel never arrived, where is it?", "How do I close my account?")
LOOK_UP: list[Any] = [
    {"type": "function", "function": {"name": "look_up_customer", "parameters": {"type": "object", "properties": {}}}}
]

tracer = trace.get_tracer(AGENT)


def main() -> None:
    """One conversation a ticket."""
    for number, ticket in enumerate(TICKETS, start=1):
        session = f"ticket-{number}-{secrets.token_hex(3)}"
        attributes = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": AGENT,
            "gen_ai.conversation.id": session,
        }
        with tracer.start_as_current_span(f"invoke_agent {AGENT}", attributes=attributes):
            # The header is for the example model server's bill only.
            handle(OpenAI(default_headers={"X-Session": session}), ticket, session)


def handle(client: OpenAI, ticket: str, session: str) -> None:
    """Looks up, decides, replies."""
    messages: list[Any] = [{"role": "user", "content": ticket}]
    message = client.chat.completions.create(model="gpt-4o-mini", messages=messages, tools=LOOK_UP).choices[0].message
    messages.append(message.model_dump(exclude_none=True))
    for call in message.tool_calls or []:
        customer = look_up_customer()
        messages.append({"role": "tool", "tool_call_id": call.id, "content": customer})
    # The server refuses the first attempt with 429; the SDK tries again, and one call is billed.
    decision = client.chat.completions.create(
        model="o4-mini", messages=messages, reasoning_effort="low", extra_headers={"X-Refuse-Once": session}
    )
    reply(client, f"{ticket}\n{decision.choices[0].message.content}")


def look_up_customer() -> str:
    """The customer's file."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look_up_customer"}
    with tracer.start_as_current_span("execute_tool look_up_customer", attributes=attributes):
        return "Customer since 2019, two orders, no complaints. " * 100


def reply(client: OpenAI, prompt: str) -> None:
    """Streams the reply through the Responses API."""
    with client.responses.create(model="gpt-4o", input=prompt, stream=True) as stream:
        for _ in stream:
            pass


if __name__ == "__main__":
    main()

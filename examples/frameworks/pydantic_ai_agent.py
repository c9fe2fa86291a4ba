"""A Pydantic AI agent with one tool, that knows nothing of telemetry."""

from pydantic_ai import Agent

agent = Agent("openai-chat:gpt-4o-mini", name="shop_agent", instructions="Answer in one sentence.")


@agent.tool_plain
def opening_hours() -> str:
    """When the shop is open."""
    return "from nine to five"


if __name__ == "__main__":
    agent.run_sync("Are you open?")

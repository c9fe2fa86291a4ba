"""A LangChain agent (its loop is a LangGraph) with one tool, that knows nothing of telemetry."""

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI


def opening_hours(day: str = "today") -> str:
    """When the shop is open."""
    return f"{day}: from nine to five"


def main() -> None:
    """Asks one question; the model asks for the tool before it answers."""
    agent = create_agent(ChatOpenAI(model="gpt-4o-mini"), tools=[opening_hours], name="shop_agent")
    agent.invoke({"messages": [{"role": "user", "content": "Are you open?"}]})


if __name__ == "__main__":
    main()

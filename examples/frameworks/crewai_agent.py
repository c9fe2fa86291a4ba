"""A crew of one, that knows nothing of telemetry."""

from crewai import LLM, Agent, Crew, Task


def main() -> None:
    """One task."""
    clerk = Agent(role="clerk", goal="answer", backstory="Knows the shop.", llm=LLM(model="openai/gpt-4o-mini"))
    task = Task(description="Say when the shop is open.", expected_output="One sentence.", agent=clerk)
    Crew(agents=[clerk], tasks=[task]).kickoff()


if __name__ == "__main__":
    main()

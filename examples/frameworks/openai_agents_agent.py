"""An agent of the OpenAI Agents SDK that knows nothing of telemetry: two turns."""

from agents import Agent, Runner


def main() -> None:
    """Two questions, one conversation."""
    agent = Agent(name="clerk", instructions="Answer in one sentence.", model="gpt-4o-mini")
    first = Runner.run_sync(agent, "Are you open on Sundays?")
    Runner.run_sync(agent, [*first.to_input_list(), {"role": "user", "content": "And on Mondays?"}])


if __name__ == "__main__":
    main()

"""A program instrumented for Langfuse, as it was: only the host and the secret in its environment are others now."""

from langfuse import get_client
from langfuse.openai import OpenAI


def main() -> None:
    """A trace with one generation."""
    langfuse = get_client()
    with langfuse.start_as_current_observation(name="answer", as_type="agent"):
        OpenAI().chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Are you open?"}])
    langfuse.flush()


if __name__ == "__main__":
    main()

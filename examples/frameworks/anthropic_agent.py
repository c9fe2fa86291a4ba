"""An agent of the Anthropic SDK that knows nothing of telemetry: a message, and one that is streamed."""

from anthropic import Anthropic


def main() -> None:
    """Two turns of one conversation."""
    client = Anthropic()
    question = {"role": "user", "content": "Shorten this: " + "the rates stay as they are. " * 200}
    first = client.messages.create(model="claude-haiku-4-5", max_tokens=200, messages=[question])
    turns = [question, {"role": "assistant", "content": first.content[0].text}, {"role": "user", "content": "Shorter."}]
    with client.messages.stream(model="claude-haiku-4-5", max_tokens=200, messages=turns) as stream:
        stream.until_done()


if __name__ == "__main__":
    main()

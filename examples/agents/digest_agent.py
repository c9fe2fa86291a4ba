"""An agent that knows nothing of telemetry: only the OpenAI SDK. Environment variables do the rest (see the README).

Its name in every report is ``OTEL_SERVICE_NAME``; each call outside a span of its own is a session of its own.
"""

from openai import OpenAI

HEADLINES = ("Rates unchanged", "A quiet quarter", "Rain until Friday")


def main() -> None:
    """Shortens three headlines, the last one through the Responses API, and files them by embedding."""
    client = OpenAI()
    for headline in HEADLINES[:2]:
        client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": headline}])
    client.responses.create(model="gpt-4o-mini", input=HEADLINES[2])
    client.embeddings.create(model="text-embedding-3-small", input=list(HEADLINES))


if __name__ == "__main__":
    main()

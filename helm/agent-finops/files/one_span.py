"""Sends one model call to the collector and reads its cost from the query API: what `helm test` runs."""

import json
import os
import secrets
import sys
import time
import urllib.error
import urllib.request
from typing import Any

ARRIVAL_SECONDS = 60.0


def ask(url: str, token: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=10) as answer:
        said: dict[str, Any] = json.load(answer)
        return said


def export(session: str) -> dict[str, Any]:
    """An OTLP/JSON export of one call: 1,000 tokens in, 100 out."""
    now = time.time_ns()
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.conversation.id": session,
        "finops.org": "helm-test",
        "finops.agent": "helm-test",
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    for key, count in (("gen_ai.usage.input_tokens", 1000), ("gen_ai.usage.output_tokens", 100)):
        attributes.append({"key": key, "value": {"intValue": str(count)}})
    span = {
        "traceId": secrets.token_hex(16),
        "spanId": secrets.token_hex(8),
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now),
        "attributes": attributes,
    }
    return {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "helm-test"}, "spans": [span]}]}]}


def main() -> int:
    session = f"helm-test-{secrets.token_hex(8)}"
    collector, api = os.environ["COLLECTOR"], os.environ["API"]
    ask(f"{collector}/v1/traces", os.environ["INGEST_TOKEN"], export(session))
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while time.monotonic() < deadline:
        try:
            totals = ask(f"{api}/api/v1/finops/sessions/{session}", os.environ["ADMIN_TOKEN"])
            if totals["calls"]:
                print(
                    f"{totals['inputTokens']} tokens in and {totals['outputTokens']} out cost {totals['costUsd']} USD"
                )
                return 0 if totals["costUsd"] else 1
        except urllib.error.HTTPError as fault:
            if fault.code != 404:
                raise
        time.sleep(0.5)
    print(f"session {session} did not arrive within {ARRIVAL_SECONDS:.0f} s", file=sys.stderr)
    return 1


sys.exit(main())

"""What authentication adds to a request of the query API: the same row of the table, open and behind the gate.

Requests go through the whole application in this process, in turns, so that both see the same machine. A token is
remembered for some seconds, so the median is that of a remembered one; the first look at the ledger is not in it.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from finops.access import Grant, Scope, token_digest
from query_api.application import application
from query_api.auth import Gate
from query_api.exchange import Answer, Ask, Endpoint, Open

REQUESTS = 20_000
MICROSECONDS_MAX = 50.0
TOKEN = "finops_" + "x" * 43


class OneToken:
    """A ledger that knows one token."""

    async def grant(self, digest: bytes) -> Grant | None:
        """What it allows."""
        return Grant("bench", frozenset({Scope.READ}), "acme") if digest == token_digest(TOKEN) else None


async def answer(ask: Ask) -> Answer:
    """An empty array."""
    return Answer(b"[]")


async def receive() -> dict[str, Any]:
    """No body."""
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Any) -> None:
    """To nobody; but a refusal would be no request at all."""
    assert message.get("status", 200) == 200, message


async def measured(requests: int) -> tuple[list[float], list[float]]:
    """Microseconds of each open and each guarded request."""
    rows = [Endpoint("GET", "/open", Open.TO_ALL, answer, ""), Endpoint("GET", "/guarded", Scope.READ, answer, "")]
    app = application(rows, Gate(OneToken(), time.monotonic), lambda: datetime.now(UTC))
    headers = [(b"host", b"here"), (b"authorization", f"Bearer {TOKEN}".encode())]
    shared = {"type": "http", "method": "GET", "query_string": b"", "headers": headers, "http_version": "1.1"}
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(requests):
        for path, into in zip(("/open", "/guarded"), taken, strict=True):
            began = time.perf_counter_ns()
            await app({**shared, "path": path, "raw_path": path.encode()}, receive, send)
            into.append((time.perf_counter_ns() - began) / 1000)
    return taken


def main(arguments: Sequence[str]) -> int:
    """Prints the medians; 1 where authentication adds more than it may."""
    requests = int(arguments[0]) if arguments else REQUESTS
    plain, guarded = (statistics.median(taken) for taken in asyncio.run(measured(requests)))
    added = guarded - plain
    print(
        f"authentication: {added:.1f} µs at the median ({plain:.1f} open, {guarded:.1f} guarded, {requests} requests)"
    )
    return int(added > MICROSECONDS_MAX)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The same reports over HTTP: a query API of its own process, asked one request at a time."""

import asyncio
import os
import statistics
import sys
import time
import urllib.request
from secrets import token_hex

from finops.access import Scope
from ledger import tokens
from ledger.pool import Connection

PATHS = (
    "trends?days={days}&orgId=org-3",
    "trends?days={days}",
    "allocations/by-model?days={days}",
    "costs?window={days}d&groupBy=agent,model&tz=Asia/Kolkata",
    "costs?window={days}d&groupBy=agent,model&tz=Asia/Kolkata&step=day&limit=1000",
    "trends?days={days}&tz=Asia/Kolkata",
)


async def over_http(url: str, days: int, repeat: int) -> None:
    """Prints p50 and p95 of each path, bodies read to the end."""
    secret = f"bench-{token_hex(24)}"
    async with await Connection.connect(url, autocommit=True) as connection:
        await tokens.register(connection, name="bench", secret=secret, scopes=[Scope.READ])
    settings = {
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": url,
        "FINOPS_API": "127.0.0.1:0",
        "FINOPS_API_STATEMENT_TIMEOUT_MS": "60000",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "query_api", env=os.environ | settings, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        ready = (await process.stdout.readline()).decode().split()
        for path in PATHS:
            asked = f"{ready[-1]}/api/v1/finops/{path.format(days=days)}"
            await asyncio.to_thread(_ask, asked, secret, repeat)
    finally:
        process.terminate()
        await process.wait()


def _ask(url: str, secret: str, repeat: int) -> None:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {secret}"})
    times, size = [], 0
    for _ in range(repeat + 1):
        begun = time.perf_counter()
        with urllib.request.urlopen(request, timeout=120) as answer:
            size = len(answer.read())
        times.append(time.perf_counter() - begun)
    ordered = sorted(times[1:])
    shown = url.partition("/finops/")[2]
    middle, late = statistics.median(ordered) * 1000, ordered[int(len(ordered) * 0.95)] * 1000
    print(f"HTTP {shown:<64} p50 {middle:8.1f} ms  p95 {late:8.1f} ms  {size} bytes", flush=True)

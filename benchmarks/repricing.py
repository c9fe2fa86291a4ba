"""Pricing one call, and pricing a ledger of calls again, measured on one core and the embedded PostgreSQL.

    python -m benchmarks.repricing [--calls 100000] [--loops 50000]

Prints microseconds a call for lookup and arithmetic; then fills a fresh ledger with ``--calls`` calls, states other
rates, previews and applies a repricing of them all, and prints calls a second and the memory of this process. The
preview's difference must be the applied one, and a second run must find nothing to do: otherwise it exits with 1.
"""

import argparse
import asyncio
import platform
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from finops.price_book import PriceBook
from finops.pricing import CallFacts, price
from finops.rates import RatePut, stated_from_k_tokens
from finops.reprice_requests import Change, RepriceRequest
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.catalogue import bundled_catalogue
from ledger.migrate import migrate
from ledger.pool import Pool, pool
from ledger.rates import RateStore
from ledger.reprice import Repricing
from standalone.postgres import EmbeddedPostgres

BATCH = 5_000
USAGES = (TokenUsage(1200, 340), TokenUsage(1200, 340, 800), TokenUsage(1200, 340, 800, reasoning_tokens=40))
MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5", "gemini-2.5-flash")
PROVIDERS = ("openai", "openai", "anthropic", "gcp.gemini")
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
DAYS = 30


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure pricing and repricing.")
    parser.add_argument("--calls", type=int, default=100_000, help="calls in the ledger (default: 100,000)")
    parser.add_argument("--loops", type=int, default=50_000, help="calls priced in memory, ten times (default: 50,000)")
    arguments = parser.parse_args()
    print(f"python {platform.python_version()}, {platform.machine()}")
    price_calls(arguments.loops)
    return asyncio.run(reprice_calls(arguments.calls))


def price_calls(loops: int) -> None:
    """Lookup and arithmetic by kinds of token in a call, four models in turn: the best of ten."""
    book = PriceBook(bundled_catalogue())
    for usage in USAGES:
        calls = [
            CallFacts("acme", provider, model, None, "chat", usage, NOW_NS)
            for provider, model in zip(PROVIDERS, MODELS, strict=True)
        ]
        best = min(one_pass(calls, book, loops) for _ in range(10))
        kinds = len([count for count in usage if count])
        print(f"price lookup and arithmetic, {kinds} kinds of token: {best / loops * 1e6:.2f} microseconds a call")


def one_pass(calls: list[CallFacts], book: PriceBook, loops: int) -> float:
    """Seconds of processor time, so that neighbours do not count."""
    begun = time.process_time()
    for _ in range(loops // len(calls)):
        for call in calls:
            price(call, book)
    return time.process_time() - begun


async def reprice_calls(count: int) -> int:
    """Fills a ledger of its own and prices it again."""
    with tempfile.TemporaryDirectory() as directory, EmbeddedPostgres() as postgres:
        url = postgres.start(Path(directory), disposable=True)
        await migrate(url)
        connections = pool(url, size_max=4, name="bench", statement_timeout_ms=600_000)
        await connections.open(wait=True)
        try:
            return await measured(connections, count)
        finally:
            await connections.close()


async def measured(connections: Pool, count: int) -> int:
    """The exit status."""
    store = RateStore()
    await filled(connections, store, count)
    for provider, model in zip(PROVIDERS, MODELS, strict=True):
        rates = stated_from_k_tokens({"inputRatePerKTokens": "0.00011", "outputRatePerKTokens": "0.0007"})
        async with connections.connection() as connection:
            await store.put(connection, RatePut(model_id=model, provider=provider, stated=rates), NOW)
    repricing = Repricing(connections, RateStore())
    request = RepriceRequest(start=NOW - timedelta(days=DAYS + 1), end=NOW + timedelta(days=1))
    begun = time.perf_counter()
    preview = (await repricing.preview(request, NOW, None)).total
    told("preview", count, time.perf_counter() - begun)
    applied = await apply(repricing, request, count, "apply")
    again = await apply(repricing, request, count, "apply again")
    sound = applied == preview and applied.touched == applied.calls == count and again.touched == 0
    print("preview = applied, second apply = nothing" if sound else f"WRONG: {preview} {applied} {again}")
    return 0 if sound else 1


async def filled(connections: Pool, store: RateStore, count: int) -> None:
    """Calls of a month, four models, a session of twenty calls each."""
    ledger = Ledger(connections, store, writer=UUID(int=1), limits=Limits(remembered_spans=BATCH))
    begun = time.perf_counter()
    for start in range(0, count, BATCH):
        batch = [a_call(number) for number in range(start, min(start + BATCH, count))]
        await ledger.append(batch, [], NOW_NS)
    told("append", count, time.perf_counter() - begun)


def a_call(number: int) -> SpanRecord:
    """A call somewhere in the month."""
    end = NOW_NS - number * (DAYS * 86_400 * 10**9 // 1_000_003) % (DAYS * 86_400 * 10**9)
    return SpanRecord(
        tenant="",
        trace_id=(number + 1).to_bytes(16),
        span_id=(number + 1).to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end - 10**9,
        end_ns=end,
        scope="bench",
        own=Dimensions(org=f"org-{number % 5}", agent=f"agent-{number % 20}", session=f"session-{number // 20}"),
        service="bench",
        operation="chat",
        provider=PROVIDERS[number % len(MODELS)],
        request_model=MODELS[number % len(MODELS)],
        usage=TokenUsage(1000 + number % 977, 100 + number % 89, 300),
        usage_detail=3,
    )


async def apply(repricing: Repricing, request: RepriceRequest, count: int, what: str) -> Change:
    """A whole run, with the memory of this process every tenth of it."""
    run_id, begun, shown = uuid4(), time.perf_counter(), 0
    await repricing.start(run_id, request, NOW, actor="bench")
    while True:
        run = await repricing.advance(run_id, NOW)
        assert run is not None
        if run.finished_at is not None:
            told(what, count, time.perf_counter() - begun)
            return run.change
        if run.change.calls >= shown + count // 10:
            shown = run.change.calls
            print(f"  {shown:>9} calls, RSS {resident_mib():.0f} MiB", flush=True)


def told(what: str, count: int, seconds: float) -> None:
    """One line of the report."""
    print(
        f"{what}: {count} calls in {seconds:.1f} s, {count / seconds:.0f} calls/s, RSS {resident_mib():.0f} MiB",
        flush=True,
    )


def resident_mib() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    sys.exit(main())

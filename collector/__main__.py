"""``python -m collector``: reads the environment, opens the ledger, listens, and drains on SIGTERM.

The only module of this room that knows the ledger, the clock and the environment. Standard output carries one line,
``ready collector grpc=... http=... metrics=...``; everything else is JSON lines on standard error.
"""

import asyncio
import gc
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Coroutine, Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import uuid4

from collector.arrival_clock import ArrivalClock
from collector.decoders import DECODERS
from collector.heap import keep_little
from collector.ledger_thread import LedgerElsewhere, LedgerThread
from collector.log_format import JsonLines, where
from collector.metrics import COUNTED_AHEAD, COUNTED_IN_VAIN
from collector.pipeline import Clock
from collector.settings import BadSettings, Settings, read_settings, render_settings
from finops.access import Grant, Scope
from finops.spans import LedgerUnavailable
from ledger.append import Ledger, Limits
from ledger.engine import Engine
from ledger.fitness import WRITER, require_bound, require_fit
from ledger.jobs import Jobs, Plan, autocommit
from ledger.pool import Connection, Pool, asked_within, open_within, patience_of, pool, require_durable
from ledger.rates import RateStore
from ledger.tokens import TokenStore, any_with
from ledger.work import Compute, WorkThread

BAD_SETTINGS, CANNOT_START = 2, 1
SWITCH_SECONDS = 0.0005
"""How long a thread that has an answer waits for one that computes: a tenth of the interpreter's own."""
logger = logging.getLogger("collector.service")


class LedgerTokens:
    """Ingest tokens of the ledger, in the words of the collector."""

    def __init__(self, connections: Pool) -> None:
        self._connections = connections
        self._store = TokenStore(connections)

    async def grant(self, digest: bytes) -> Grant | None:
        """What a token allows; see ``collector.senders``."""
        try:
            return await self._store.grant(digest)
        except Exception as fault:
            raise LedgerUnavailable(type(fault).__name__) from fault

    async def any_ingest(self) -> bool:
        """Whether a token for sending exists; see ``collector.senders``."""
        try:
            async with self._connections.connection() as connection:
                return await any_with(connection, [Scope.INGEST])
        except Exception as fault:
            raise LedgerUnavailable(type(fault).__name__) from fault


class Opened(NamedTuple):
    """The ledger, and the database it is in."""

    ledger: Ledger
    engine: Engine


async def run(settings: Settings) -> int:
    """One collector's life; returns the exit status."""
    stop = asyncio.Event()
    for word in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(word, stop.set)
    thread, compute = LedgerThread(loop_factory()), WorkThread()
    thread.start()
    appends = 2 if settings.connections_max > 2 else 1
    appending, asking = pool_of(settings, appends), pool_of(settings, settings.connections_max - appends)
    try:
        opened = await unless(stop, thread.run(open_ledger(settings, appending, compute)))
        if opened is None:
            return 0
        await open_within(asking, settings.database_wait_ms_max / 1000)
        jobs = asyncio.create_task(jobs_of(settings, opened.engine).run())
        try:
            return await serve(settings, opened.ledger, thread, LedgerTokens(asking), stop)
        finally:
            jobs.cancel()
            await asyncio.gather(jobs, return_exceptions=True)
    except Exception as fault:
        logger.critical("cannot start", extra={"fault": where(fault), "reason": reason_of(fault)})
        return CANNOT_START
    finally:
        await asking.close()
        await thread.run(appending.close())
        thread.stop()
        compute.close()


def pool_of(settings: Settings, connections_max: int) -> Pool:
    """Connections to the ledger, not yet open. They belong to the loop that opens them."""
    return pool(
        settings.database_url,
        size_max=connections_max,
        name="finops-collector",
        statement_timeout_ms=settings.statement_ms_max,
        patience_seconds=patience_of(settings.statement_ms_max),
    )


async def unless(stop: asyncio.Event, opening: Coroutine[None, None, Opened]) -> Opened | None:
    """The opened ledger, or None where ``stop`` comes first."""
    tasks = asyncio.create_task(opening), asyncio.create_task(stop.wait())
    opened, stopped = tasks
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    try:
        return opened.result() if opened.done() else None
    finally:
        opened.cancel()
        stopped.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def open_ledger(settings: Settings, connections: Pool, compute: Compute) -> Opened:
    """Connects, makes sure that commits are durable and the schema is there."""
    rates = RateStore()

    async def examined(connection: Connection) -> Engine:
        await require_durable(connection, allow_fsync_off=settings.allow_fsync_off)
        await require_bound(connection, "finops_collector", allow_superuser=settings.allow_superuser)
        engine = await require_fit(connection, WRITER)
        await rates.load_book(connection)
        return engine

    engine = await asked_within(connections, settings.database_wait_ms_max / 1000, examined)
    logger.info("the ledger is open", extra={"engine": engine.word, "database": str(engine)})
    limits = Limits(settings.remembered_spans_max)
    return Opened(Ledger(connections, rates, writer=uuid4(), limits=limits, compute=compute), engine)


def jobs_of(settings: Settings, engine: Engine) -> Jobs:
    """What this collector does for the ledger whenever it leads."""
    plan = Plan(settings.refresh_ms / 1000, timedelta(seconds=settings.settle_seconds), settings.keep_entries_days)
    return Jobs(
        autocommit(settings.jobs_database_url or settings.database_url), engine, plan, lambda: datetime.now(UTC)
    )


async def serve(
    settings: Settings, ledger: Ledger, thread: LedgerThread, tokens: LedgerTokens, stop: asyncio.Event
) -> int:
    """Listens until ``stop``, then drains."""
    # Not at the top: gRPC's core reads how loud it may be when it is imported, and it writes no JSON.
    from collector.service import Service

    elsewhere = LedgerElsewhere(ledger, thread)
    service = Service(
        settings,
        elsewhere,
        tokens,
        DECODERS,
        Clock(ArrivalClock(time.time_ns, time.monotonic_ns), time.monotonic),
        random.random,
    )
    service.metrics.watch(COUNTED_AHEAD, lambda: ledger.counted_ahead)
    service.metrics.watch(COUNTED_IN_VAIN, lambda: ledger.counted_in_vain)
    try:
        at = await service.start()
        print(f"ready collector grpc={at.grpc} http={at.http} metrics={at.metrics}", flush=True)
        await stop.wait()
        logger.info("draining")
    finally:
        drained = await service.stop()
    logger.info("drained" if drained else "stopped with exports unanswered; their senders will send them again")
    return 0


def reason_of(fault: BaseException) -> str:
    """The first line of what went wrong at start, where no payload can be in it yet."""
    return str(fault).partition("\n")[0]


def start_logging() -> None:
    """JSON lines on standard error, and nothing else there."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("uvicorn").setLevel(logging.WARNING)


def main(arguments: list[str], environment: Mapping[str, str]) -> int:
    """The command; ``--check`` only shows the settings in effect."""
    try:
        settings = read_settings(environment)
    except BadSettings as bad:
        for fault in bad.faults:
            print(f"collector: {fault}", file=sys.stderr)
        return BAD_SETTINGS
    if arguments == ["--check"]:
        print("\n".join(render_settings(settings)))
        return 0
    if arguments:
        print("usage: python -m collector [--check]", file=sys.stderr)
        return BAD_SETTINGS
    start_logging()
    keep_little()
    gc.disable()  # collector.tidying does it, a little at a time
    sys.setswitchinterval(SWITCH_SECONDS)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(run(settings))


def loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """uvloop where there is a wheel for it."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))

"""Looks for unreachable circles of objects a little at a time, so that nobody waits for a search through everything.

What is remembered of open traces is millions of objects that live for minutes; the interpreter's own collector walks
through all of them now and then, which takes a second. Here only what is new since the last look is searched, and what
is left of it is never looked at again: so nothing that lives long may become part of a circle and be let go of. Traces
untie themselves (``finops.trace_tree``); a test counts what is left over.

Exceptions do become such circles, with the spans of the group that failed: while the ledger is away there is a search
through everything now and then, when nobody is kept from anything by it.
"""

import asyncio
import gc
from collections.abc import Callable

TIDY_EVERY_SECONDS = 0.1
THOROUGH_AFTER_FAILURES = 16


async def tidy_up(failures: Callable[[], float]) -> None:
    """Runs until cancelled. The interpreter's own collections should be off. ``failures``: of the ledger, so far."""
    seen = failures()
    while True:
        await asyncio.sleep(TIDY_EVERY_SECONDS)
        if failures() - seen >= THOROUGH_AFTER_FAILURES:
            seen = failures()
            gc.unfreeze()
            gc.collect()
        tidy()


def tidy() -> None:
    """One look."""
    gc.collect(0)
    gc.freeze()

"""Looks for unreachable circles of objects a little at a time, so that nobody waits for a search through everything.

What is remembered of open traces is millions of objects that live for minutes; the interpreter's own collector walks
through all of them now and then, which takes a second. Here only what is new since the last look is searched, and what
is left of it is never looked at again: so nothing that lives long may become part of a circle and be let go of. Traces
untie themselves (``finops.trace_tree``); a test counts what is left over.
"""

import asyncio
import gc

TIDY_EVERY_SECONDS = 0.1


async def tidy_up() -> None:
    """Runs until cancelled. The interpreter's own collections should be off."""
    while True:
        await asyncio.sleep(TIDY_EVERY_SECONDS)
        tidy()


def tidy() -> None:
    """One look."""
    gc.collect(0)
    gc.freeze()

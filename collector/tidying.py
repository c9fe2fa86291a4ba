"""Looks for unreachable circles of objects when it costs nobody anything, and seldom otherwise.

What is remembered of open traces is many objects that live for minutes; the interpreter's own collector walks through
all of them now and then. Here only what is new since the last look is searched, ten times a second, and what is left
of it is not looked at again: so nothing that lives long may become part of a circle and be let go of. Traces untie
themselves (``finops.trace_tree``); a test counts what is left over.

While much arrives even what is new takes a tenth of the time, nearly all of it objects that are about to go or to stay:
then it is put aside unseen. A search through everything follows, in the first quiet second of the next ten minutes or
after them, and not sooner than a minute after the last: it stops everything for a second per million objects or so. It
follows failed appends, too, whose exceptions do become circles, with the spans of their group.
"""

import asyncio
import gc
from collections.abc import Callable
from typing import Final, Protocol

from collector.heap import give_back
from collector.metrics import GIVE_BACK_SECONDS, Metrics

TIDY_EVERY_SECONDS: Final = 0.1
NEW_SPANS_MAX: Final = 50
"""More than this came since the last look: much is arriving, and it is put aside."""
QUIET_TICKS: Final = 10
"""So many looks at little in a row are a quiet second."""
THOROUGH_AFTER_TICKS: Final = 6_000
"""Since something was put aside: ten minutes."""
REST_TICKS: Final = 600
"""Between two searches through everything, except for failures: a minute."""
THOROUGH_AFTER_FAILURES: Final = 16
GIVE_BACK_EVERY_SECONDS: Final = 3.0


class Given(Protocol):
    """What the ledger was given so far."""

    spans: int
    refusals: int
    """How often it took nothing."""


class Tidying:
    """What has been put aside, and whether it is time to go through it."""

    def __init__(self, given: Given) -> None:
        self._given = given
        self._spans = given.spans
        self._refusals = given.refusals
        self._quiet = 0
        self._rest = 0
        self._aside = 0
        """Ticks since something was put aside unseen; 0: nothing is."""

    def tick(self) -> str:
        """One look; says what it was: thorough, new or none."""
        much = self._given.spans - self._spans > NEW_SPANS_MAX
        self._spans = self._given.spans
        self._quiet = 0 if much else self._quiet + 1
        self._rest -= 1
        if self._given.refusals - self._refusals >= THOROUGH_AFTER_FAILURES or self._is_due():
            self._refusals, self._aside, self._rest = self._given.refusals, 0, REST_TICKS
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            return "thorough"
        self._aside += bool(self._aside or much)
        if much:
            gc.freeze()
            return "none"
        tidy()
        return "new"

    def _is_due(self) -> bool:
        quiet = self._quiet >= QUIET_TICKS and self._rest <= 0
        return self._aside > 0 and (quiet or self._aside >= THOROUGH_AFTER_TICKS)


def tidy() -> None:
    """Search what is new; what is left of it is not looked at again."""
    gc.collect(0)
    gc.freeze()


async def tidy_up(given: Given) -> None:
    """Runs until cancelled. The interpreter's own collections should be off."""
    tidying = Tidying(given)
    while True:
        await asyncio.sleep(TIDY_EVERY_SECONDS)
        tidying.tick()


async def give_back_again_and_again(metrics: Metrics, seconds: Callable[[], float]) -> None:
    """Runs until cancelled: a flood may be followed by steady traffic and not by rest. ``seconds``: a monotonic clock.

    In a thread, for after a flood it takes as long as there is much to give back, without the interpreter's lock.
    """
    while True:
        await asyncio.sleep(GIVE_BACK_EVERY_SECONDS)
        began = seconds()
        await asyncio.to_thread(give_back)
        metrics.observe(GIVE_BACK_SECONDS, seconds() - began)

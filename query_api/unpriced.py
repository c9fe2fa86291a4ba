"""Calls without a price, once a rate for them appears: some with the answer to the change, the others behind it."""

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple, Protocol

from finops.spans import LedgerUnavailable

CALLS_AT_ONCE = 5_000
"""Unpriced calls looked at before the answer to a change of rates; the rest is priced behind it."""
RETRY_SECONDS = 10.0

_log = logging.getLogger("query_api")


class Swept(NamedTuple):
    """What became of the unpriced calls that a rate covers."""

    repriced: int
    pending: int | None
    """Still to be priced; None: not known."""


class SweptCalls(Protocol):
    """``Swept`` as the ledger tells it."""

    @property
    def repriced(self) -> int: ...
    @property
    def pending(self) -> int: ...


class UnpricedCalls(Protocol):
    """What is asked of the ledger."""

    async def price(self, calls_max: int | None = None, org_id: str | None = None) -> SweptCalls: ...


async def price_some(unpriced: UnpricedCalls, org_id: str | None, want_sweep: Callable[[], None]) -> Swept:
    """Prices up to ``CALLS_AT_ONCE`` calls; asks for a sweep where more are left. The change itself stands already."""
    try:
        swept = await unpriced.price(CALLS_AT_ONCE, org_id)
    except LedgerUnavailable:
        want_sweep()
        return Swept(0, None)
    if swept.pending:
        want_sweep()
    return Swept(swept.repriced, swept.pending)


class Sweeper:
    """Prices unpriced calls at the start, when the catalogue may be a newer one, and whenever it is wanted."""

    def __init__(self, unpriced: UnpricedCalls) -> None:
        self._unpriced = unpriced
        self._wanted = asyncio.Event()
        self._wanted.set()

    def want(self) -> None:
        """Asks for one more sweep."""
        self._wanted.set()

    async def run(self) -> None:
        """Sweeps for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                swept = await self._unpriced.price()
            except LedgerUnavailable:
                self._wanted.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if swept.repriced:
                _log.info("priced %d calls that had no price", swept.repriced)

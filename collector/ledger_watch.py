"""Asks the ledger again and again whether it answers, so that health can say before a sender has to find out; and
remembers why it took nothing the last time, which an answer alone does not say: a full disk can still be read. How much
it is given, and how often in vain, is counted for ``collector.tidying``, which looks ten times a second.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from collector.health import Readiness
from collector.writer import Ledger
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord

ASK_EVERY_SECONDS = 1.0
AWAY = "ledger_away"


class LedgerWatched:
    """The ledger, and what it said when it took nothing."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.spans = 0
        """Spans handed over so far."""
        self.refusals = 0
        """How often it took nothing so far."""
        self.refusal: str | None = None
        """Why, by the name of the fault; None after the next append that it takes."""

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """As the ledger's."""
        self.spans += len(batch)
        try:
            outcome = await self._ledger.append(batch, rejected, arrived_ns)
        except LedgerUnavailable as fault:
            self.refusal = str(fault) or "unavailable"
            self.refusals += 1
            raise
        self.refusal = None
        return outcome


class LedgerWatch:
    """``ask`` raises ``LedgerUnavailable``; ``monotonic`` is a clock in seconds.

    Where ``readiness`` is None exports are welcome without a ledger, and its silence is only shown.
    """

    def __init__(
        self,
        ledger: LedgerWatched,
        ask: Callable[[], Awaitable[None]],
        monotonic: Callable[[], float],
        readiness: Readiness | None,
        *,
        silent_seconds_max: float,
    ) -> None:
        self._ledger = ledger
        self._ask = ask
        self._monotonic = monotonic
        self._readiness = readiness
        self._silent_seconds_max = silent_seconds_max
        self._answered = monotonic()

    @property
    def silent_seconds(self) -> float:
        """Since the ledger answered last."""
        return self._monotonic() - self._answered

    @property
    def refusal(self) -> str | None:
        """Why the ledger took nothing the last time; None where it did."""
        return self._ledger.refusal

    async def run(self) -> None:
        """Runs until cancelled."""
        self._answered = self._monotonic()
        while True:
            try:
                await self._ask()
                self._answered = self._monotonic()
            except LedgerUnavailable:
                pass
            self._tell()
            await asyncio.sleep(ASK_EVERY_SECONDS)

    def _tell(self) -> None:
        if self._readiness is None:
            return
        away = self.silent_seconds > self._silent_seconds_max
        if away and self._readiness.is_ready:
            self._readiness.become(AWAY)
        elif not away and self._readiness.state == AWAY:
            self._readiness.become("ready")

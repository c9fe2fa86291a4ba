"""Asks the ledger again and again whether it answers, so that health can say before a sender has to find out."""

import asyncio
from collections.abc import Awaitable, Callable

from collector.health import Readiness
from finops.spans import LedgerUnavailable

ASK_EVERY_SECONDS = 1.0
AWAY = "ledger_away"


class LedgerWatch:
    """``ask`` raises ``LedgerUnavailable``; ``monotonic`` is a clock in seconds.

    Where ``readiness`` is None exports are welcome without a ledger, and its silence is only shown.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[None]],
        monotonic: Callable[[], float],
        readiness: Readiness | None,
        *,
        silent_seconds_max: float,
    ) -> None:
        self._ask = ask
        self._monotonic = monotonic
        self._readiness = readiness
        self._silent_seconds_max = silent_seconds_max
        self._answered = monotonic()

    @property
    def silent_seconds(self) -> float:
        """Since the ledger answered last."""
        return self._monotonic() - self._answered

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

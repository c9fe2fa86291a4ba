"""The judge: one leader among all query APIs does a list of passes again and again, each apart from the others.

Which process leads is decided by the ledger; everybody else keeps trying. What a pass knows it reads from the ledger,
and what it decides it writes there in one transaction: so a new leader goes on where the old one was, and two that
think they lead for a moment do no harm.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from finops.spans import LedgerUnavailable

SEAT_SECONDS = 1.0
"""How often the seat is asked for, and held on to while passes take long."""
_log = logging.getLogger("query_api.judging")


class JudgePass(Protocol):
    """One thing the leader does in every round."""

    @property
    def name(self) -> str:
        """One word or two in camelCase: a label of metrics, a key of health."""

    async def run(self, now: datetime) -> None:
        """Does it once. Must be harmless when it is cut off, repeated, or done by two processes at once.

        ``now`` is the wall clock of this process and may jump. Whatever it raises is counted and told, and the other
        passes go on.
        """


class Seat(Protocol):
    """What is asked of the ledger."""

    async def hold(self) -> bool: ...
    async def leave(self) -> None: ...


class Clock(NamedTuple):
    """The time of day, and seconds that only grow."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]


class Pace(NamedTuple):
    """How often and for how long. In seconds."""

    every: float = 1.0
    """From the start of a round to the start of the next."""
    pass_max: float = 10.0
    """A pass that takes longer is cut off and has failed."""


@dataclass(slots=True)
class PassState:
    """How one pass fares in this process."""

    name: str
    runs: int = 0
    failures: int = 0
    seconds: float = 0.0
    """All runs together."""
    seconds_last: float = 0.0
    succeeded_at: datetime | None = None
    succeeded_monotonic: float | None = None
    fault: str | None = None
    """The kind of fault of the last run; None where it went well."""


class Judging:
    """The judge of one process; ``run`` it as a task for as long as the process lives."""

    def __init__(self, seat: Seat, passes: Sequence[JudgePass], pace: Pace, clock: Clock) -> None:
        self._seat = seat
        self._passes = list(passes)
        self._pace = pace
        self._clock = clock
        self.states = [PassState(each.name) for each in self._passes]
        self.leads_since: float | None = None
        """By the monotonic clock; None while another process leads, or none does."""

    @property
    def leads(self) -> bool:
        """Whether this process is the leader."""
        return self.leads_since is not None

    def age_seconds(self, state: PassState) -> float | None:
        """Since the last success of a pass, or since this process leads; None where it does not."""
        if self.leads_since is None:
            return None
        return self._clock.monotonic() - max(self.leads_since, state.succeeded_monotonic or self.leads_since)

    async def run(self) -> None:
        """Leads, or tries to, until it is cancelled; then the seat is free at once."""
        try:
            while True:
                began = self._clock.monotonic()
                if await self._holds_seat():
                    await self._round_while_leading()
                pause = self._pace.every if self.leads else SEAT_SECONDS
                await asyncio.sleep(max(0.0, began + pause - self._clock.monotonic()))
        finally:
            self.leads_since = None
            await self._seat.leave()

    async def once(self) -> None:
        """One round of all passes in their order, whoever leads."""
        for each, state in zip(self._passes, self.states, strict=True):
            await self._run_one(each, state)

    async def _holds_seat(self) -> bool:
        try:
            holds = await self._seat.hold()
        except LedgerUnavailable as fault:
            if self.leads:
                _log.warning("no longer the judge: the ledger does not answer (%s)", fault)
            holds = False
        if holds and not self.leads:
            _log.info("this process is the judge now")
            self.leads_since = self._clock.monotonic()
        elif not holds:
            self.leads_since = None
        return holds

    async def _round_while_leading(self) -> None:
        """A round, cut off when the seat is lost meanwhile."""
        under_way = asyncio.create_task(self.once())
        try:
            while (await asyncio.wait({under_way}, timeout=SEAT_SECONDS))[1]:
                if not await self._holds_seat():
                    return
            await under_way
        finally:
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)

    async def _run_one(self, each: JudgePass, state: PassState) -> None:
        began, fault = self._clock.monotonic(), None
        try:
            async with asyncio.timeout(self._pace.pass_max):
                await each.run(self._clock.now())
        except (LedgerUnavailable, TimeoutError) as away:
            fault = type(away).__name__
            if state.fault is None:
                _log.warning("the pass %s did not get through: %s", each.name, fault)
        except Exception as bug:  # noqa: BLE001 - whatever it is, the other passes go on
            fault = type(bug).__name__
            if state.fault != fault:
                _log.exception("the pass %s failed", each.name)
        self._note(state, began, fault)

    def _note(self, state: PassState, began: float, fault: str | None) -> None:
        ended = self._clock.monotonic()
        state.runs += 1
        state.seconds_last = ended - began
        state.seconds += state.seconds_last
        state.fault = fault
        if fault is None:
            state.succeeded_monotonic, state.succeeded_at = ended, self._clock.now()
        else:
            state.failures += 1

"""The courier: takes what is due out of the outbox, sends it, and writes down what came of it.

Every query API runs one; the outbox sees to it that a destination is spoken to by one at a time. Deliveries are apart
from the judge and from each other: a destination that hangs delays nobody else.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from finops.alert_delivery import Attempt, Channel, Destination, Parcel, Verdict
from finops.spans import LedgerUnavailable
from query_api.alerting import alertmanager, apprise_channel, pagerduty, slack, webhook
from query_api.alerting.addresses import Refused
from query_api.alerting.outbound import Outbound, Post

LANES_MAX = 16
"""Destinations that are spoken to at once."""
POLL_SECONDS = 1.0
CLOCK_STEP = timedelta(minutes=1)
"""A clock that goes back further than this has jumped."""
FORGET_EVERY = timedelta(hours=1)
MAKE_ROOM_EVERY = timedelta(seconds=5)
"""So long more may wait for a destination than the limit says."""
_log = logging.getLogger("query_api.alerting")


class Outbox(Protocol):
    """What is asked of the ledger."""

    async def claim(self, now: datetime, lanes_max: int) -> Sequence[Parcel]: ...
    async def settle(self, parcel: Parcel, attempt: Attempt, now: datetime, chance: float) -> None: ...
    async def mend_clock(self, now: datetime) -> None: ...
    async def forget(self, now: datetime) -> None: ...
    async def give_up_the_oldest(self) -> Counter[str]: ...


class Channels(NamedTuple):
    """How parcels are sent."""

    outbound: Outbound
    resend: timedelta
    """How often Alertmanager is told that an alert still fires."""
    apprise: bool
    """Whether Apprise may be used."""

    async def send(self, parcel: Parcel, now: datetime) -> Attempt:
        """Sends one parcel in its destination's own format."""
        channel = parcel.destination.channel
        if channel is Channel.APPRISE:
            if not (self.apprise and apprise_channel.installed()):
                return Attempt(Verdict.AGAIN, fault="Apprise is not allowed, or not installed")
            return await apprise_channel.send(parcel)
        return await self.outbound.post(self._post(parcel, now))

    async def why_not(self, destination: Destination) -> tuple[str, str] | None:
        """The field at fault and what is wrong, where nothing would be sent to this destination."""
        if destination.channel is not Channel.APPRISE:
            try:
                await self.outbound.check(destination.url)
            except Refused as refused:
                return "url", str(refused)
        elif not self.apprise:
            return "kind", "apprise is not allowed here: FINOPS_ALERT_APPRISE is 0"
        elif not apprise_channel.installed():
            return "kind", "apprise is not installed: it is an extra of agent-finops"
        elif not await asyncio.to_thread(apprise_channel.understood, destination.url):
            return "url", "is not an address Apprise knows"
        return None

    def _post(self, parcel: Parcel, now: datetime) -> Post:
        channel = parcel.destination.channel
        if channel is Channel.ALERTMANAGER:
            return alertmanager.post(parcel, now, self.resend)
        makers = {Channel.WEBHOOK: webhook.post, Channel.SLACK: slack.post, Channel.PAGERDUTY: pagerduty.post}
        return makers[channel](parcel, now)


class Courier:
    """Sends what is due for as long as the process lives."""

    def __init__(
        self, outbox: Outbox, channels: Channels, now: Callable[[], datetime], chance: Callable[[], float]
    ) -> None:
        self._outbox = outbox
        self.channels = channels
        self._now = now
        self._chance = chance
        self._lanes: set[asyncio.Task[None]] = set()
        self.attempts: Counter[tuple[str, str]] = Counter()
        """Attempts of this process by channel and verdict."""
        self.given_up = 0
        """Deliveries that this process gave up because too many waited."""

    async def run(self) -> None:
        """Until it is cancelled; what is being sent then is sent again by somebody else."""
        latest: datetime | None = None
        forgot: datetime | None = None
        made_room: datetime | None = None
        try:
            while True:
                now = self._now()
                try:
                    if latest is None or now < latest - CLOCK_STEP:
                        await self._outbox.mend_clock(now)
                        forgot = made_room = None
                    if forgot is None or now - forgot >= FORGET_EVERY:
                        await self._outbox.forget(now)
                        forgot = now
                    if made_room is None or now - made_room >= MAKE_ROOM_EVERY:
                        await self.make_room()
                        made_room = now
                    latest = now
                    await self._start(now)
                except LedgerUnavailable as fault:
                    _log.warning("alerts wait: the ledger does not answer (%s)", fault)
                await self._pause()
        finally:
            for lane in self._lanes:
                lane.cancel()
            await asyncio.gather(*self._lanes, return_exceptions=True)

    async def make_room(self) -> None:
        """Gives up the oldest of what waits where it is too much, and says so."""
        for destination_id, count in (await self._outbox.give_up_the_oldest()).items():
            self.given_up += count
            _log.warning("destination %s: %d deliveries were given up, too many waited", destination_id, count)

    async def turn(self) -> int:
        """Sends what is due now and waits until it is done; how many parcels that were."""
        await self._start(self._now())
        lanes = list(self._lanes)
        await asyncio.gather(*lanes)
        return len(lanes)

    async def _start(self, now: datetime) -> None:
        room = LANES_MAX - len(self._lanes)
        for parcel in await self._outbox.claim(now, room) if room else ():
            lane = asyncio.create_task(self._deliver(parcel))
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)

    async def _pause(self) -> None:
        """Until a lane is free again, or for a while."""
        if not self._lanes:
            await asyncio.sleep(POLL_SECONDS)
        else:
            await asyncio.wait(self._lanes, timeout=POLL_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def _deliver(self, parcel: Parcel) -> None:
        destination = parcel.destination
        try:
            attempt = await self.channels.send(parcel, self._now())
        except Exception as bug:  # noqa: BLE001 - whatever it is, the other destinations are told
            _log.error("destination %s: %s", destination.destination_id, type(bug).__name__, exc_info=bug)
            attempt = Attempt(Verdict.AGAIN, fault="a fault of this service; its log says more")
        self.attempts[destination.channel, attempt.verdict] += 1
        if attempt.verdict is not Verdict.SENT:
            number, what = destination.destination_id, attempt.fault
            _log.warning("destination %s (%s) was not told: %s", number, destination.channel, what)
        try:
            await self._outbox.settle(parcel, attempt, self._now(), self._chance())
        except LedgerUnavailable as fault:
            _log.warning("what destination %s was told is not noted: %s", destination.destination_id, fault)

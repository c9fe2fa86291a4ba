"""E-mail and the other services that Apprise knows; an extra, and off unless the operator allows it.

Apprise opens its connections itself, so nothing of ``addresses`` holds for them: whoever may write destinations can
make this service reach whatever it can reach. It cannot tell of the end of an incident other than by another message.
"""

import asyncio
import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING

from finops.alert_delivery import Attempt, Event, Parcel, Verdict
from finops.alerts import Severity
from query_api.alerting.messages import headline

if TYPE_CHECKING:
    from apprise import Apprise

SECONDS_MAX = 20.0
SILENT = logging.CRITICAL + 1
"""For Apprise's own log, which tells addresses."""
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


def installed() -> bool:
    """Whether the extra is there."""
    return find_spec("apprise") is not None


def understood(url: str) -> bool:
    """Whether Apprise knows what to do with this address."""
    return bool(_apprise().add(url))


async def send(parcel: Parcel) -> Attempt:
    """Tells of every delivery in one message."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            sent = await asyncio.to_thread(_notify, parcel)
    except TimeoutError:
        return Attempt(Verdict.AGAIN, fault=f"no answer within {SECONDS_MAX:g} seconds")
    return Attempt(Verdict.SENT) if sent else Attempt(Verdict.AGAIN, fault="Apprise could not deliver it")


def _notify(parcel: Parcel) -> bool:
    first = parcel.deliveries[0]
    over = all(delivery.event is Event.RESOLVED for delivery in parcel.deliveries)
    worst = max((delivery.alert.severity for delivery in parcel.deliveries), key=lambda severity: severity.rank)
    lines = [f"{headline(delivery)}\n{delivery.alert.summary}" for delivery in parcel.deliveries]
    told = _apprise()
    told.add(parcel.destination.url)
    title = headline(first) if len(lines) == 1 else f"{len(lines)} alerts"
    body = first.alert.summary if len(lines) == 1 else "\n\n".join(lines)
    return bool(told.notify(body=body, title=title, notify_type="success" if over else _TYPES[worst]))


def _apprise() -> "Apprise":
    from apprise import Apprise

    logging.getLogger("apprise").setLevel(SILENT)
    return Apprise()

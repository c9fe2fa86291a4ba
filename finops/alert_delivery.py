"""Telling a destination: what it is told, what came of an attempt, and when to try again.

Delivery is at least once: an attempt whose answer got lost is repeated with the same identity, so that receivers can
drop it. Sending is left to the query API, keeping to the ledger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from finops.alerts import Alert, Matchers

DELAY_FIRST = timedelta(seconds=5)
DELAY_MAX = timedelta(minutes=5)
"""Also how long after its recovery a destination may have to wait."""
RETRY_AFTER_MAX = timedelta(hours=1)
"""Longer rests that a destination asks for are cut to this."""
SECRET_BEFORE_HOLDS = timedelta(hours=24)
"""How long the secret before signs, too."""
DESTINATIONS_MAX = 100
"""Of one organisation."""
SILENCES_MAX = 1000
"""That are not over, of all organisations together."""
RENOTIFY_SECONDS_MIN, RENOTIFY_SECONDS_MAX = 300, 7 * 86_400
FAULT_CHARACTERS_MAX = 200


class Channel(StrEnum):
    """How a destination is spoken to. The values are stored."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    ALERTMANAGER = "alertmanager"
    APPRISE = "apprise"


class Renotify(StrEnum):
    """When a destination is told again of an alert that still fires. The values are stored."""

    NEVER = "never"
    ON_ESCALATION = "onEscalation"
    INTERVAL = "interval"
    """Every ``renotify_seconds``, and on escalation."""


class Event(StrEnum):
    """What a delivery tells. The values are stored and sent."""

    FIRED = "fired"
    ESCALATED = "escalated"
    REMINDER = "reminder"
    RESOLVED = "resolved"
    TEST = "test"


class TooMany(ValueError):
    """There is no room for one more; the message says of what."""


class NameTaken(ValueError):
    """Another destination of the organisation has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Who is told, and how to reach them. Its repr shows no address and no secret."""

    destination_id: str
    org_id: str
    """Empty: told of every organisation's alerts."""
    name: str
    channel: Channel
    url: str = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    """The secret that holds, then the one before it while that still does."""
    matchers: Matchers
    renotify: Renotify
    renotify_seconds: int
    send_resolved: bool
    enabled: bool


class Delivery(NamedTuple):
    """One thing to tell one destination."""

    delivery_id: str
    event: Event
    alert: Alert
    severity_before: str
    """Of an escalated alert; '' otherwise."""
    happened_at: datetime
    fired_at: datetime
    attempts: int = 0
    """Made so far."""
    resending: bool = False
    """It arrived before, and is told again while it fires."""
    failing_since: datetime | None = None


class Verdict(StrEnum):
    """What came of an attempt."""

    SENT = "sent"
    AGAIN = "again"
    """It failed, and may succeed later."""
    NEVER = "never"
    """It was refused, and would be again."""


class Attempt(NamedTuple):
    """One attempt to send."""

    verdict: Verdict
    status: int | None = None
    """Of HTTP; None where no answer came."""
    fault: str = ""
    """What went wrong, for people. Holds no path of an address, no secret, and nothing of the answer's body."""
    retry_after: timedelta | None = None
    """How long the destination asks to be left alone."""


class Parcel(NamedTuple):
    """What is sent to one destination at once."""

    destination: Destination
    deliveries: Sequence[Delivery]
    lease: str
    """The right to send to this destination for now."""
    failures: int = 0
    """Attempts in a row that failed at this destination."""

    @property
    def ids(self) -> list[str]:
        """Of its deliveries."""
        return [delivery.delivery_id for delivery in self.deliveries]


def judged(status: int, retry_after: timedelta | None = None) -> Attempt:
    """What an HTTP status means: 2xx is delivered; 408, 425, 429 and 5xx may pass; redirects are never followed."""
    if 200 <= status < 300:
        return Attempt(Verdict.SENT, status)
    rest = None if retry_after is None else min(max(retry_after, timedelta()), RETRY_AFTER_MAX)
    if status in (408, 425, 429) or status >= 500:
        return Attempt(Verdict.AGAIN, status, f"answered {status}", rest)
    if 300 <= status < 400:
        return Attempt(Verdict.NEVER, status, f"answered {status}: redirects are not followed")
    return Attempt(Verdict.NEVER, status, f"answered {status}")


def delay(failures: int, chance: float) -> timedelta:
    """How long to wait after so many failures in a row (from 1): doubling, at least half of it, the rest by ``chance``.

    ``chance`` is from 0 to 1; at most ``DELAY_MAX``.
    """
    doubled = min(DELAY_FIRST * (1 << min(max(failures, 1) - 1, 20)), DELAY_MAX)
    return doubled * (0.5 + chance / 2)


def shown_address(url: str) -> str:
    """What may be shown of an address: scheme, host and port. The rest is often a secret."""
    scheme, colon, rest = url.partition("://")
    if scheme not in ("http", "https"):
        return f"{scheme}{colon}…" if colon else "…"
    host = rest.partition("/")[0].partition("?")[0].rpartition("@")[2]
    return f"{scheme}://{host}/…"

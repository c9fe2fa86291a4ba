"""Alerts: what somebody has to be told, once when it begins and once when it is over.

An alert is named by a key that stays the same as long as the trouble is the same, so that firing it again tells nobody
anything new. Rules about silences and about who wants to be told are here; keeping and sending are left to others.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

KEY_CHARACTERS_MAX = 255
"""What PagerDuty keeps of a dedup_key."""
TEXT_CHARACTERS_MAX = 1024
"""What PagerDuty keeps of a summary."""
ANOMALY, BUDGET, TEST = "anomaly", "budget", "test"
"""Kinds of alerts; others may join."""

Matchers = Mapping[str, Sequence[str]]
"""Label to the values of which it must have one; every label named must fit. Empty fits every alert."""
Figure = str | int | Decimal | bool | None
"""A value to show; None: not known."""


class Severity(StrEnum):
    """How bad it is. The values are stored and sent: never rename one."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One thing that is wrong now."""

    key: str
    """Names the trouble, at most 255 characters, the same until it is over: make it with ``alert_key``."""
    kind: str
    """'anomaly', 'budget', ... in lower case."""
    severity: Severity
    org_id: str = ""
    """Empty: of no organisation in particular."""
    agent_id: str = ""
    """Empty: of no agent in particular."""
    title: str
    """A few words; stays the same while the alert fires."""
    summary: str
    """One sentence with its figures, for people; at most 1024 characters are sent."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What else names it, such as sessionId or budgetId. Never figures: they would make another alert of it."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Further text for people, such as a link."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Values by their name on the wire, units in the names: ``{"burnRateUsdPerHour": Decimal("4.2")}``."""

    def all_labels(self) -> dict[str, str]:
        """Everything matchers can ask for; names that nobody said are left out."""
        own = {"kind": self.kind, "severity": str(self.severity), "orgId": self.org_id, "agentId": self.agent_id}
        return {name: value for name, value in {**self.labels, **own}.items() if value}


class Silence(NamedTuple):
    """For a time nobody is told of the alerts that fit."""

    org_id: str
    """Empty: alerts of every organisation."""
    matchers: Matchers
    starts_at: datetime
    ends_at: datetime

    def covers(self, alert: Alert, at: datetime) -> bool:
        """Whether nobody is told of ``alert`` at ``at``."""
        ours = self.org_id in ("", alert.org_id)
        return ours and self.starts_at <= at < self.ends_at and fits(self.matchers, alert)


def alert_key(kind: str, *parts: str) -> str:
    """The key of a trouble named by ``parts`` in their order, such as organisation and session."""
    escaped = [part.replace("%", "%25").replace(":", "%3A") for part in parts]
    key = ":".join([kind, *escaped])
    if len(key) <= KEY_CHARACTERS_MAX:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{key[: KEY_CHARACTERS_MAX - len(digest) - 1]}~{digest}"


def fits(matchers: Matchers, alert: Alert) -> bool:
    """Whether every matcher names one of the alert's values."""
    labels = alert.all_labels()
    return all(labels.get(name) in values for name, values in matchers.items())


def silenced_until(silences: Sequence[Silence], alert: Alert, at: datetime) -> datetime | None:
    """When the last silence over ``alert`` ends; None where it may be told now."""
    ends = [silence.ends_at for silence in silences if silence.covers(alert, at)]
    return max(ends, default=None)

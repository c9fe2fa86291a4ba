"""Alerts, destinations and silences as they are shown, with their history."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from finops.alert_delivery import Destination
from finops.alerts import Alert, Silence


class ListedDestination(NamedTuple):
    """A destination, and how it fares."""

    destination: Destination
    created_at: datetime
    updated_at: datetime
    updated_by: str
    failures: int
    """Attempts in a row that failed."""
    waiting: int
    dead: int
    last_fault: str
    """Of the latest delivery that failed and has not arrived since; '' where none did."""
    last_delivered_at: datetime | None


class ListedSilence(NamedTuple):
    """A silence, and who made it."""

    silence_id: str
    silence: Silence
    comment: str
    created_at: datetime
    created_by: str


class Told(NamedTuple):
    """What one destination was told, or is to be told, of an alert."""

    delivery_id: str
    destination_id: str
    destination: str
    channel: str
    event: str
    state: str
    happened_at: datetime
    next_at: datetime | None
    """None where nothing more is sent."""
    attempts: int
    delivered_at: datetime | None
    last_status: int | None
    last_fault: str


class ListedAlert(NamedTuple):
    """An alert of the history."""

    alert_id: int
    alert: Alert
    fired_at: datetime
    updated_at: datetime
    resolved_at: datetime | None
    told: Sequence[Told]


class AlertCounts(NamedTuple):
    """Sums for metrics."""

    firing: Sequence[tuple[str, str, int]]
    """Kind, severity, alerts."""
    deliveries: Sequence[tuple[str, str, int, float]]
    """Channel, state ('waiting', 'held', 'resending' or 'dead'), deliveries, seconds the oldest has been due."""


class AlertFilters(NamedTuple):
    """Which alerts; None: all."""

    orgs: Sequence[str] | None = None
    agents: Sequence[str] | None = None
    kinds: Sequence[str] | None = None
    severities: Sequence[str] | None = None
    firing: bool | None = None

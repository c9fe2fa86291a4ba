"""What is said of an alert, before it takes the form that a receiver asks for. Figures keep every digit."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from finops.alert_delivery import Delivery, Event
from finops.alerts import Alert, Figure
from query_api.wire import number

STATUS = {Event.RESOLVED: "resolved"}


def status(delivery: Delivery) -> str:
    """'firing' or 'resolved'."""
    return STATUS.get(delivery.event, "firing")


def alert_tree(alert: Alert) -> dict[str, object]:
    """The JSON object of an alert."""
    return {
        "key": alert.key,
        "kind": alert.kind,
        "severity": str(alert.severity),
        "orgId": alert.org_id or None,
        "agentId": alert.agent_id or None,
        "title": alert.title,
        "summary": alert.summary,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "figures": figures_tree(alert.figures),
    }


def figures_tree(figures: Mapping[str, Figure]) -> dict[str, object]:
    """The JSON object of an alert's figures, every digit kept."""
    return {name: number(value) if isinstance(value, Decimal) else value for name, value in figures.items()}


def instant(when: datetime) -> str:
    """RFC 3339 in UTC."""
    return when.isoformat().replace("+00:00", "Z")


def headline(delivery: Delivery) -> str:
    """One line for people: what happened, and how bad it is."""
    word = {
        Event.FIRED: str(delivery.alert.severity),
        Event.ESCALATED: f"{delivery.severity_before} → {delivery.alert.severity}",
        Event.REMINDER: f"still {delivery.alert.severity}",
        Event.RESOLVED: "resolved",
        Event.TEST: "test",
    }[delivery.event]
    return f"[{word}] {delivery.alert.title}"


def plain(value: Figure) -> str:
    """A figure as text."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return str(value).lower()
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def snake(name: str) -> str:
    """``sessionId`` as ``session_id``: how Prometheus spells names."""
    found = re.sub(r"[^a-zA-Z0-9_]", "_", re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower())
    return found if found[:1].isalpha() else f"_{found}"

"""Alertmanager's API v2: told of an alert again and again while it fires, as Prometheus does it.

Its identity is its labels, the severity among them: a worse one ends the alert with the old severity.
"""

from datetime import datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

from finops.alert_delivery import Delivery, Event, Parcel
from query_api.alerting.messages import instant, plain, snake
from query_api.alerting.outbound import Post
from query_api.wire import encode

PATH = "/api/v2/alerts"
OUTLIVES = 4
"""An alert that is not told again for so many times ends by itself."""
TEST_LASTS = timedelta(minutes=1)


def post(parcel: Parcel, now: datetime, resend: timedelta) -> Post:
    """The request that tells of every delivery."""
    destination = parcel.destination
    alerts = [alert for delivery in parcel.deliveries for alert in _alerts(delivery, now, resend)]
    headers = {"Authorization": f"Bearer {destination.secrets[0]}"} if destination.secrets else {}
    return Post(address(destination.url), headers, encode(alerts))


def address(url: str) -> str:
    """Where alerts are posted, of an Alertmanager's address with or without a prefix."""
    parts = urlsplit(url)
    path = parts.path.rstrip("/")
    return urlunsplit(parts._replace(path=path if path.endswith(PATH) else path + PATH))


def _alerts(delivery: Delivery, now: datetime, resend: timedelta) -> list[dict[str, object]]:
    ends = {Event.RESOLVED: delivery.happened_at, Event.TEST: now + TEST_LASTS}.get(
        delivery.event, now + OUTLIVES * resend
    )
    found = [_alert(delivery, str(delivery.alert.severity), ends)]
    if delivery.event is Event.ESCALATED:
        found.append(_alert(delivery, delivery.severity_before, delivery.happened_at))
    return found


def _alert(delivery: Delivery, severity: str, ends: datetime) -> dict[str, object]:
    alert = delivery.alert
    labels = {snake(name): value for name, value in alert.all_labels().items()}
    labels |= {"alertname": f"Finops{alert.kind[:1].upper()}{alert.kind[1:]}", "severity": severity, "key": alert.key}
    figures = {snake(name): plain(value) for name, value in alert.figures.items()}
    notes = {snake(name): value for name, value in alert.annotations.items() if value}
    annotations = {**figures, **notes, "title": alert.title, "summary": alert.summary}
    # An end before its start is refused; a test or a clock that went back could make one.
    starts = min(delivery.fired_at, ends)
    return {"labels": labels, "annotations": annotations, "startsAt": instant(starts), "endsAt": instant(ends)}

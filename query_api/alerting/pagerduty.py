"""PagerDuty's Events API v2: an incident for each key, triggered and resolved."""

from datetime import datetime

from finops.alert_delivery import Event, Parcel
from finops.alerts import TEXT_CHARACTERS_MAX
from query_api.alerting.messages import alert_tree, instant
from query_api.alerting.outbound import Post
from query_api.wire import encode

URL = "https://events.pagerduty.com/v2/enqueue"
"""In the EU: https://events.eu.pagerduty.com/v2/enqueue."""
SOURCE = "agent-finops"


def post(parcel: Parcel, now: datetime) -> Post:
    """The request that tells of the first delivery. PagerDuty drops what it has by the key."""
    delivery, destination = parcel.deliveries[0], parcel.destination
    alert = delivery.alert
    event: dict[str, object] = {
        "routing_key": destination.secrets[0],
        "event_action": "resolve" if delivery.event is Event.RESOLVED else "trigger",
        "dedup_key": alert.key,
    }
    if delivery.event is not Event.RESOLVED:
        event["client"] = SOURCE
        event["payload"] = {
            "summary": f"{alert.title}: {alert.summary}"[:TEXT_CHARACTERS_MAX],
            "source": SOURCE,
            "severity": str(alert.severity),
            "timestamp": instant(delivery.happened_at),
            "component": alert.agent_id or None,
            "group": alert.org_id or None,
            "class": alert.kind,
            "custom_details": alert_tree(alert),
        }
    return Post(destination.url, {}, encode(event))

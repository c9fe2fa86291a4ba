"""Slack's incoming webhooks: one message for all that is due, since Slack takes one a second."""

from datetime import datetime

from finops.alert_delivery import Delivery, Parcel
from query_api.alerting.messages import headline
from query_api.alerting.outbound import Post
from query_api.wire import encode

TEXT_CHARACTERS_MAX = 3000
"""Of one section block."""


def post(parcel: Parcel, now: datetime) -> Post:
    """The request that tells of every delivery."""
    blocks = [
        {"type": "section", "text": {"type": "mrkdwn", "text": _text(delivery)}} for delivery in parcel.deliveries
    ]
    first = headline(parcel.deliveries[0])
    more = len(parcel.deliveries) - 1
    fallback = escaped(f"{first} and {more} more" if more else first)
    return Post(parcel.destination.url, {}, encode({"text": fallback, "blocks": blocks}))


def escaped(text: str) -> str:
    """Text that Slack shows as it is: names come from agents, and must not call anybody nor link anywhere."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _text(delivery: Delivery) -> str:
    alert = delivery.alert
    names = ", ".join(filter(None, (alert.agent_id, alert.org_id)))
    lines = [f"*{_inert(headline(delivery))}*", _inert(alert.summary), _inert(names)]
    return "\n".join(filter(None, lines))[:TEXT_CHARACTERS_MAX]


def _inert(text: str) -> str:
    return escaped(text).replace("*", "∗").replace("`", "'")

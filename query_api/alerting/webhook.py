"""Webhooks of one's own, signed as Standard Webhooks says (https://www.standardwebhooks.com).

Each delivery has one ``webhook-id`` for all its attempts: whoever has seen it can drop it.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from finops.alert_delivery import Delivery, Event, Parcel
from query_api.alerting.messages import alert_tree, instant, status
from query_api.alerting.outbound import Post
from query_api.wire import encode

PREFIX = "whsec_"
SECRET_BYTES_MIN, SECRET_BYTES_MAX = 24, 64


def post(parcel: Parcel, now: datetime) -> Post:
    """The request that tells of the first delivery."""
    delivery, destination = parcel.deliveries[0], parcel.destination
    content = encode(body(delivery))
    number = f"msg_{delivery.delivery_id}"
    stamp = str(int(now.timestamp()))
    signed = b".".join((number.encode(), stamp.encode(), content))
    signatures = " ".join(f"v1,{_signature(secret, signed)}" for secret in destination.secrets)
    headers = {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": signatures}
    return Post(destination.url, headers, content)


def body(delivery: Delivery) -> dict[str, object]:
    """The same for every attempt."""
    resolved = delivery.event is Event.RESOLVED
    data = {
        "status": status(delivery),
        **alert_tree(delivery.alert),
        "severityBefore": delivery.severity_before or None,
        "firedAt": delivery.fired_at,
        "resolvedAt": delivery.happened_at if resolved else None,
    }
    return {"type": f"alert.{delivery.event}", "timestamp": instant(delivery.happened_at), "data": data}


def new_secret(random: bytes) -> str:
    """A secret of these random bytes."""
    return PREFIX + base64.b64encode(random).decode()


def usable(secret: str) -> bool:
    """Whether it is a secret as the standard has it: ``whsec_`` and 24 to 64 bytes in base64."""
    try:
        return secret.startswith(PREFIX) and SECRET_BYTES_MIN <= len(_key(secret)) <= SECRET_BYTES_MAX
    except (binascii.Error, ValueError):
        return False


def _key(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix(PREFIX), validate=True)


def _signature(secret: str, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()

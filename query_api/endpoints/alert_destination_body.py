"""The body that describes a destination, for a new one and for one in the place of another."""

import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple, TypeVar

from finops.alert_delivery import RENOTIFY_SECONDS_MAX, RENOTIFY_SECONDS_MIN, Channel, Destination, Renotify
from query_api.alert_answers import MATCHERS_SCHEMA
from query_api.alerting import pagerduty, webhook
from query_api.alerting.addresses import URL_CHARACTERS_MAX
from query_api.bodies import BodyReader
from query_api.endpoints.alerts import read_matchers
from query_api.shapes import Schema

_TEXT: Schema = {"type": "string"}
_FLAG: Schema = {"type": "boolean", "default": True}
BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "kind"],
    "properties": {
        "name": _TEXT,
        "kind": _TEXT | {"enum": [str(channel) for channel in Channel]},
        "url": _TEXT,
        "secret": _TEXT,
        "rotateSecret": {"type": "boolean", "default": False},
        "matchers": MATCHERS_SCHEMA,
        "renotify": _TEXT | {"enum": [str(way) for way in Renotify], "default": str(Renotify.ON_ESCALATION)},
        "renotifySeconds": {"type": "integer", "minimum": RENOTIFY_SECONDS_MIN, "maximum": RENOTIFY_SECONDS_MAX},
        "sendResolved": _FLAG,
        "enabled": _FLAG,
    },
}
NEW_BODY: Schema = {**BODY, "properties": {**BODY["properties"], "orgId": _TEXT}}  # type: ignore[dict-item]
_ROUTING_KEY = re.compile(r"[A-Za-z0-9]{32}")
_BEARER = re.compile(r"[\x21-\x7e]{1,1024}")
W = TypeVar("W", bound=StrEnum)


class DestinationForm(NamedTuple):
    """What a body says; of no use where the body has faults."""

    destination: Destination
    """Without its number and its organisation."""
    new_secret: str
    """Made here; '' where none was."""


def read_form(body: BodyReader, before: Destination | None, random: Callable[[], bytes]) -> DestinationForm:
    """Reads the body of a destination that takes the place of ``before``; faults are noted in the body."""
    name = body.text("name", required=True)
    channel = _one_of(body, "kind", Channel, Channel.WEBHOOK, required=True)
    if before is not None and channel is not before.channel:
        body.fault("kind", f"cannot be changed: it is {before.channel}")
    url = _url(body, channel, before)
    secret, new = _secret(body, channel, url, before, random)
    renotify = _one_of(body, "renotify", Renotify, Renotify.ON_ESCALATION)
    destination = Destination(
        destination_id="",
        org_id="",
        name=name,
        channel=channel,
        url=url,
        secrets=(secret,) if secret else (),
        matchers=read_matchers(body),
        renotify=renotify,
        renotify_seconds=_seconds(body, renotify),
        send_resolved=_flag(body, "sendResolved"),
        enabled=_flag(body, "enabled"),
    )
    return DestinationForm(destination, new)


def _url(body: BodyReader, channel: Channel, before: Destination | None) -> str:
    kept = before.url if before is not None else (pagerduty.URL if channel is Channel.PAGERDUTY else "")
    at_fault = len(body.faults)
    stated = body.text("url", length_max=URL_CHARACTERS_MAX)
    if not stated and not kept and len(body.faults) == at_fault:
        body.fault("url", "is required")
    return stated or kept


def _secret(
    body: BodyReader, channel: Channel, url: str, before: Destination | None, random: Callable[[], bytes]
) -> tuple[str, str]:
    """The secret, and the same once more where it was made here."""
    stated, rotate = body.text("secret", length_max=1024), body.flag("rotateSecret")
    kept = next(iter(before.secrets), "") if before is not None and before.url == url else ""
    if rotate and channel is not Channel.WEBHOOK:
        body.fault("rotateSecret", "is for webhooks alone")
    if stated:
        fault = _unusable(channel, stated)
        if fault:
            body.fault("secret", fault)
        return stated, ""
    if channel is Channel.WEBHOOK and (rotate or not kept):
        made = webhook.new_secret(random())
        return made, made
    if not kept and (channel is Channel.PAGERDUTY or (before is not None and before.secrets)):
        why = "is required: PagerDuty's routing key" if before is None else "is required, because the address changes"
        body.fault("secret", why)
    return kept, ""


def _unusable(channel: Channel, secret: str) -> str:
    if channel is Channel.WEBHOOK:
        return "" if webhook.usable(secret) else "must be whsec_ and 24 to 64 bytes in base64; left out, one is made"
    if channel is Channel.PAGERDUTY:
        return "" if _ROUTING_KEY.fullmatch(secret) else "must be a routing key: 32 letters and digits"
    if channel is Channel.ALERTMANAGER:
        return "" if _BEARER.fullmatch(secret) else "must be a bearer token of printable ASCII"
    return f"is not used by {channel}: its address is the secret"


def _seconds(body: BodyReader, renotify: Renotify) -> int:
    amount = body.amount("renotifySeconds")
    if renotify is not Renotify.INTERVAL:
        if amount is not None and amount != 0:
            body.fault("renotifySeconds", f"is for renotify {Renotify.INTERVAL} alone")
        return 0
    if amount is None or amount % 1 or not RENOTIFY_SECONDS_MIN <= amount <= RENOTIFY_SECONDS_MAX:
        body.fault("renotifySeconds", f"must be a whole number from {RENOTIFY_SECONDS_MIN} to {RENOTIFY_SECONDS_MAX}")
        return 0
    return int(amount)


def _one_of(body: BodyReader, name: str, words: type[W], default: W, *, required: bool = False) -> W:
    before = len(body.faults)
    text = body.text(name, required=required)
    if not text:
        return default
    try:
        return words(text)
    except ValueError:
        if len(body.faults) == before:
            body.fault(name, f"must be one of {', '.join(words)}")
        return default


def _flag(body: BodyReader, name: str) -> bool:
    value = body.tree(name)
    if value is not None and not isinstance(value, bool):
        body.fault(name, "must be true or false")
    return value is not False

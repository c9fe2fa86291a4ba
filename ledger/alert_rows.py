"""Alerts and destinations out of rows. Decimals keep every digit."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from finops.alert_delivery import Channel, Destination, Renotify
from finops.alert_listing import ListedSilence
from finops.alerts import Alert, Severity, Silence

_decoder = msgspec.json.Decoder(float_hook=Decimal)


def alert_of(snapshot: str) -> Alert:
    """The alert that ``alert_snapshot`` wrote, as JSON."""
    tree: dict[str, Any] = _decoder.decode(snapshot)
    return Alert(
        key=tree["key"],
        kind=tree["kind"],
        severity=Severity(tree["severity"]),
        org_id=tree["orgId"],
        agent_id=tree["agentId"],
        title=tree["title"],
        summary=tree["summary"],
        labels=tree["labels"],
        annotations=tree["annotations"],
        figures=tree["figures"],
    )


def destination_of(columns: Sequence[Any]) -> Destination:
    """The first twelve columns of alert_claim and of the queries about destinations."""
    number, org_id, name, kind, url, secret, before, matchers, renotify, seconds, resolved, enabled = columns
    return Destination(
        destination_id=number,
        org_id=org_id,
        name=name,
        channel=Channel(kind),
        url=url,
        secrets=tuple(filter(None, (secret, before))),
        matchers=matchers,
        renotify=Renotify(renotify),
        renotify_seconds=seconds,
        send_resolved=resolved,
        enabled=enabled,
    )


def silence_of(columns: Sequence[Any]) -> ListedSilence:
    """A row of the queries about silences."""
    number, org_id, matchers, starts_at, ends_at, comment, created_at, created_by = columns
    return ListedSilence(number, Silence(org_id, matchers, starts_at, ends_at), comment, created_at, created_by)

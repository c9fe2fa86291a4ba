"""The JSON objects about alerts, destinations and silences, field by field in the order they are told."""

from typing import NamedTuple

from finops.alert_delivery import shown_address
from finops.alert_listing import ListedDestination
from query_api.alerting.messages import figures_tree
from query_api.paging import page_of
from query_api.preconditions import half
from query_api.shapes import COUNT, FLAG, INSTANT, TEXT, Field, Kind, Shape, field

_TEXTS = Kind(dict, {"type": "object", "additionalProperties": {"type": "string"}})
_FIGURES = Kind(figures_tree, {"type": "object", "description": "Values by name; null: not known"})
MATCHERS_SCHEMA: dict[str, object] = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string"}},
}
_MATCHERS = Kind(dict, MATCHERS_SCHEMA)
_TARGET = Kind(shown_address, {"type": "string", "description": "Scheme and host of the address; the rest is secret"})

ALERT_DESTINATION = Shape(
    "AlertDestination",
    (
        field("destinationId", TEXT, "listed.destination.destination_id"),
        field("orgId", TEXT, "listed.destination.org_id"),
        field("name", TEXT, "listed.destination.name"),
        field("kind", TEXT, "listed.destination.channel"),
        field("target", _TARGET, "listed.destination.url"),
        field("matchers", _MATCHERS, "listed.destination.matchers"),
        field("renotify", TEXT, "listed.destination.renotify"),
        field("renotifySeconds", COUNT, "listed.destination.renotify_seconds"),
        field("sendResolved", FLAG, "listed.destination.send_resolved"),
        field("enabled", FLAG, "listed.destination.enabled"),
        Field("hasSecret", FLAG, lambda row: bool(row.listed.destination.secrets)),
        field("newSecret", TEXT, "new_secret"),
        field("failures", COUNT, "listed.failures"),
        field("waiting", COUNT, "listed.waiting"),
        field("dead", COUNT, "listed.dead"),
        field("lastFault", TEXT, "listed.last_fault"),
        field("lastDeliveredAt", INSTANT, "listed.last_delivered_at", nullable=True),
        field("createdAt", INSTANT, "listed.created_at"),
        field("updatedAt", INSTANT, "listed.updated_at"),
        field("updatedBy", TEXT, "listed.updated_by"),
    ),
)
_OF_THE_MOMENT = {"newSecret", "failures", "waiting", "dead", "lastFault", "lastDeliveredAt"}
_STATED = Shape("Stated", tuple(one for one in ALERT_DESTINATION.fields if one.name not in _OF_THE_MOMENT))


class ShownDestination(NamedTuple):
    """A destination, and a secret that was just made for it."""

    listed: ListedDestination
    new_secret: str = ""


def destination_tag(listed: ListedDestination) -> str:
    """The tag of what is stated, without quotes; how it fares is left out."""
    return half(_STATED.render(ShownDestination(listed)))


ALERT_TEST = Shape(
    "AlertTest",
    (
        field("delivered", FLAG, "delivered"),
        field("status", COUNT, "attempt.status", nullable=True),
        field("fault", TEXT, "attempt.fault"),
    ),
)
ALERT_RETRY = Shape("AlertRetry", (field("deliveries", COUNT, "deliveries"),))
ALERT_SILENCE = Shape(
    "AlertSilence",
    (
        field("silenceId", TEXT, "silence_id"),
        field("orgId", TEXT, "silence.org_id"),
        field("matchers", _MATCHERS, "silence.matchers"),
        field("startsAt", INSTANT, "silence.starts_at"),
        field("endsAt", INSTANT, "silence.ends_at"),
        field("comment", TEXT, "comment"),
        field("createdAt", INSTANT, "created_at"),
        field("createdBy", TEXT, "created_by"),
    ),
)
ALERT_DELIVERY = Shape(
    "AlertDelivery",
    (
        field("deliveryId", TEXT, "delivery_id"),
        field("destinationId", TEXT, "destination_id"),
        field("destination", TEXT, "destination"),
        field("kind", TEXT, "channel"),
        field("event", TEXT, "event"),
        field("state", TEXT, "state"),
        field("happenedAt", INSTANT, "happened_at"),
        field("nextAt", INSTANT, "next_at", nullable=True),
        field("attempts", COUNT, "attempts"),
        field("deliveredAt", INSTANT, "delivered_at", nullable=True),
        field("lastStatus", COUNT, "last_status", nullable=True),
        field("lastFault", TEXT, "last_fault"),
    ),
)
ALERT = Shape(
    "Alert",
    (
        field("alertId", COUNT, "alert_id"),
        field("key", TEXT, "alert.key"),
        field("kind", TEXT, "alert.kind"),
        field("severity", TEXT, "alert.severity"),
        field("orgId", TEXT, "alert.org_id"),
        field("agentId", TEXT, "alert.agent_id"),
        field("title", TEXT, "alert.title"),
        field("summary", TEXT, "alert.summary"),
        field("labels", _TEXTS, "alert.labels"),
        field("annotations", _TEXTS, "alert.annotations"),
        field("figures", _FIGURES, "alert.figures"),
        field("firedAt", INSTANT, "fired_at"),
        field("updatedAt", INSTANT, "updated_at"),
        field("resolvedAt", INSTANT, "resolved_at", nullable=True),
        field("deliveries", ALERT_DELIVERY, "told", many=True),
    ),
)
ALERTS = page_of("Alerts", ALERT)

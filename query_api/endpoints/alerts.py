"""What fired, who was told, and when nobody is: history, silences and metrics."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Protocol
from uuid import UUID

from finops.alert_delivery import TooMany
from finops.alert_listing import AlertCounts, AlertFilters, ListedAlert, ListedSilence
from finops.alerts import Silence
from finops.stored_text import NAME_LENGTH_MAX, storable
from query_api.alert_answers import ALERT, ALERT_SILENCE, ALERTS, MATCHERS_SCHEMA
from query_api.auth import keep_within, within
from query_api.bodies import PROSE_LENGTH_MAX, TEXTS_MAX, BodyReader
from query_api.exchange import Answer, Ask, told
from query_api.exposition import Family, Sample
from query_api.paging import Page
from query_api.parameters import filters_of
from query_api.problems import not_found
from query_api.shapes import Schema
from query_api.wire import encode

SILENCE_MAX = timedelta(days=366)
MATCHERS_MAX = 20
KINDS = ("anomaly", "budget", "forecast", "unpriced", "test")
"""Kinds with series of their own."""
_ID_DIGITS_MAX = 18
SILENCE_BODY: Schema = {
    "type": "object",
    "additionalProperties": False,
    "required": ["matchers", "endsAt"],
    "properties": {
        "matchers": MATCHERS_SCHEMA,
        "startsAt": {"type": "string", "format": "date-time"},
        "endsAt": {"type": "string", "format": "date-time"},
        "comment": {"type": "string"},
        "orgId": {"type": "string"},
    },
}


class History(Protocol):
    """What is asked of the ledger."""

    async def page(self, filters: AlertFilters, *, limit: int, before: int | None) -> Sequence[ListedAlert]: ...
    async def one(self, alert_id: int, orgs: Sequence[str] | None) -> ListedAlert | None: ...
    async def counts(self, orgs: Sequence[str] | None, now: datetime) -> AlertCounts: ...


class Silences(Protocol):
    """What is asked of the ledger."""

    async def current(self, orgs: Sequence[str] | None, now: datetime) -> Sequence[ListedSilence]: ...
    async def create(self, wanted: Silence, comment: str, by: str, at: datetime) -> ListedSilence: ...
    async def end(self, number: str, orgs: Sequence[str] | None, by: str, now: datetime) -> bool: ...


class Delivered(Protocol):
    """What this process has done of delivering."""

    @property
    def attempts(self) -> Mapping[tuple[str, str], int]:
        """By channel and outcome."""

    @property
    def given_up(self) -> int:
        """Deliveries, because too many waited."""


class AlertEndpoints:
    """Endpoints over the history and the silences."""

    def __init__(self, history: History, silences: Silences, delivered: Delivered) -> None:
        self._history = history
        self._silences = silences
        self._delivered = delivered

    async def page(self, ask: Ask) -> Answer:
        """The newest first."""
        values, limit = ask.values, ask.values["limit"]
        filters = AlertFilters(
            orgs=within(ask.grant, filters_of(values)).orgs,
            agents=values["agentId"],
            kinds=values["kind"],
            severities=values["severity"],
            firing=None if values["state"] is None else values["state"] == "firing",
        )
        rows = await self._history.page(filters, limit=limit, before=values["cursor"])
        return told(ALERTS, Page(rows, rows[-1].alert_id if len(rows) == limit else None))

    async def one(self, ask: Ask) -> Answer:
        """One alert with all that was told of it."""
        text = ask.path["alert_id"]
        known = text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS_MAX
        found = await self._history.one(int(text), organisations(ask)) if known else None
        if found is None:
            raise not_found("no such alert")
        return told(ALERT, found)

    async def silences(self, ask: Ask) -> Answer:
        """Those that are not over."""
        orgs = within(ask.grant, filters_of(ask.values)).orgs
        return Answer(encode(ALERT_SILENCE.render_all(await self._silences.current(orgs, ask.now))))

    async def silence(self, ask: Ask) -> Answer:
        """A new silence."""
        body = BodyReader(ask.body)
        org_id = organisation(ask, body)
        matchers = read_matchers(body, required=True)
        starts, ends = body.instant("startsAt"), body.instant("endsAt")
        comment = body.text("comment", length_max=PROSE_LENGTH_MAX)
        at_fault = {fault.name for fault in body.faults}
        if ends is None and "endsAt" not in at_fault:
            body.fault("endsAt", "is required")
        if ends is not None and not max(ask.now, starts or ask.now) < ends <= ask.now + SILENCE_MAX:
            body.fault("endsAt", f"must be after now and startsAt, and within {SILENCE_MAX.days} days")
        body.finish()
        assert ends is not None
        silence = Silence(org_id, matchers, starts or ask.now, ends)
        try:
            made = await self._silences.create(silence, comment, ask.grant.name, ask.now)
        except TooMany as full:
            raise body.refused({"": str(full)}) from None
        return told(ALERT_SILENCE, made)

    async def end_silence(self, ask: Ask) -> Answer:
        """Ends a silence now."""
        number = number_of(ask.path["silence_id"])
        if number is None or not await self._silences.end(number, organisations(ask), ask.grant.name, ask.now):
            raise not_found("no such silence holds")
        return Answer(b"", status=HTTPStatus.NO_CONTENT)

    async def families(self, ask: Ask) -> list[Family]:
        """Metric families: what fires and what waits in the ledger, and the attempts of this process."""
        org = ask.grant.org_id
        counts = await self._history.counts(None if org is None else (org,), ask.now)
        firing: dict[tuple[str, str], int] = {}
        for kind, severity, alerts in counts.firing:
            name = (kind if kind in KINDS else "other", severity)
            firing[name] = firing.get(name, 0) + alerts
        named = [((("channel", channel), ("state", state)), n, age) for channel, state, n, age in counts.deliveries]
        oldest = [Sample("", labels, Decimal(format(age, ".3f"))) for labels, _, age in named if _waits(labels)]
        attempts = sorted(self._delivered.attempts.items()) if org is None else []
        given_up = [Sample("_total", (), self._delivered.given_up)] if org is None else []
        tried = [Sample("_total", (("channel", channel), ("outcome", said)), n) for (channel, said), n in attempts]
        return [
            Family(
                "finops_alerts_firing",
                "gauge",
                "Alerts that fire.",
                [Sample("", (("kind", kind), ("severity", severity)), n) for (kind, severity), n in firing.items()],
            ),
            Family(
                "finops_alert_deliveries",
                "gauge",
                "Deliveries of alerts that are not over, and those that were given up.",
                [Sample("", labels, n) for labels, n, _ in named],
            ),
            Family("finops_alert_oldest_seconds", "gauge", "Since the oldest waiting delivery happened.", oldest),
            Family("finops_alert_attempts", "counter", "Attempts to deliver, by this process.", tried),
            Family("finops_alert_deliveries_given_up", "counter", "Given up: too many waited.", given_up),
        ]


def read_matchers(body: BodyReader, *, required: bool = False) -> dict[str, list[str]]:
    """``matchers`` of a body: label to the values of which an alert must have one."""
    tree = body.tree("matchers")
    if tree is None:
        if required:
            body.fault("matchers", "is required; {} fits every alert")
        return {}
    if not isinstance(tree, dict) or len(tree) > MATCHERS_MAX:
        body.fault("matchers", f"must be an object of at most {MATCHERS_MAX} labels")
        return {}
    found: dict[str, list[str]] = {}
    for label, values in tree.items():
        texts = [values] if isinstance(values, str) else values
        if not isinstance(texts, list) or not 1 <= len(texts) <= TEXTS_MAX or not all(map(_value, texts)):
            body.fault(f"matchers.{label}", f"must be text, or an array of 1 to {TEXTS_MAX} texts")
        elif not storable(label) or len(label) > NAME_LENGTH_MAX:
            body.fault("matchers", f"labels must not be longer than {NAME_LENGTH_MAX} characters that can be stored")
        else:
            found[label] = texts
    return found


def organisation(ask: Ask, body: BodyReader) -> str:
    """The organisation that something is for; raises a 403 problem where a bound token states another."""
    stated = body.text("orgId")
    keep_within(ask.grant, stated or None)
    return stated if ask.grant.org_id is None else ask.grant.org_id


def organisations(ask: Ask) -> Sequence[str] | None:
    """Those whose things may be seen by their number."""
    return None if ask.grant.org_id is None else (ask.grant.org_id,)


def number_of(text: str) -> str | None:
    """A UUID as it is kept; None where it is none."""
    try:
        return str(UUID(text))
    except ValueError:
        return None


def _waits(labels: tuple[tuple[str, str], ...]) -> bool:
    return ("state", "waiting") in labels


def _value(value: object) -> bool:
    return isinstance(value, str) and len(value) <= PROSE_LENGTH_MAX and storable(value)

"""Who is told of alerts. An address and a secret go in and never come out again, but for a secret made here: once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, Protocol
from uuid import uuid4

from finops.alert_delivery import (
    Attempt,
    Channel,
    Delivery,
    Destination,
    Event,
    NameTaken,
    Parcel,
    TooMany,
    Verdict,
)
from finops.alert_listing import ListedDestination
from finops.alerts import TEST, Alert, Severity, alert_key
from query_api.alert_answers import ALERT_DESTINATION, ALERT_RETRY, ALERT_TEST, ShownDestination, destination_tag
from query_api.auth import within
from query_api.bodies import BodyReader
from query_api.endpoints.alert_destination_body import DestinationForm, read_form
from query_api.endpoints.alerts import number_of, organisation, organisations
from query_api.exchange import Answer, Ask, told, told_tagged
from query_api.parameters import filters_of
from query_api.problems import Problem, not_found
from query_api.wire import encode

SECRET_BYTES = 32
TWO_STEPS = (Channel.PAGERDUTY,)
"""Channels in which a test opens something that has to be closed again."""


Condition = Callable[[ListedDestination], None]


class Destinations(Protocol):
    """What is asked of the ledger."""

    async def all(self, orgs: Sequence[str] | None, now: datetime) -> Sequence[ListedDestination]: ...
    async def one(self, number: str, orgs: Sequence[str] | None, now: datetime) -> ListedDestination | None: ...
    async def create(self, wanted: Destination, by: str, at: datetime) -> ListedDestination: ...
    async def replace(
        self, wanted: Destination, by: str, at: datetime, holds: Condition
    ) -> ListedDestination | None: ...
    async def delete(
        self, number: str, orgs: Sequence[str] | None, by: str, at: datetime, holds: Condition
    ) -> bool: ...
    async def retry(self, about: Destination, by: str, at: datetime) -> int: ...
    async def note_test(self, about: Destination, key: str, attempt: Attempt, by: str, at: datetime) -> None: ...


class Sender(Protocol):
    """What sends, and knows what cannot be sent to."""

    async def send(self, parcel: Parcel, now: datetime) -> Attempt: ...
    async def why_not(self, destination: Destination) -> tuple[str, str] | None:
        """The field at fault and what is wrong; None where it may be spoken to."""


class _Tried(NamedTuple):
    delivered: bool
    attempt: Attempt


class _Retried(NamedTuple):
    deliveries: int


class AlertDestinationEndpoints:
    """Endpoints over the destinations. ``random`` makes secret bytes."""

    def __init__(self, destinations: Destinations, sender: Sender, random: Callable[[int], bytes]) -> None:
        self._destinations = destinations
        self._sender = sender
        self._random = random

    async def all(self, ask: Ask) -> Answer:
        """Every destination, by name."""
        orgs = within(ask.grant, filters_of(ask.values)).orgs
        found = await self._destinations.all(orgs, ask.now)
        return Answer(encode(ALERT_DESTINATION.render_all([ShownDestination(listed) for listed in found])))

    async def one(self, ask: Ask) -> Answer:
        """One of them."""
        return _told(await self._found(ask))

    async def create(self, ask: Ask) -> Answer:
        """A new one; a secret that is made here is told in this answer and never again."""
        body = BodyReader(ask.body)
        org_id = organisation(ask, body)
        form = read_form(body, None, lambda: self._random(SECRET_BYTES))
        wanted = await self._checked(body, form, org_id, "")
        try:
            listed = await self._destinations.create(wanted, ask.grant.name, ask.now)
        except (NameTaken, TooMany) as fault:
            raise _refused(body, fault) from None
        return _told(listed, form.new_secret)

    async def replace(self, ask: Ask) -> Answer:
        """Another in its place; an address that is left out is kept, and so is a secret while the address is."""
        before = (await self._found(ask)).destination
        body = BodyReader(ask.body)
        form = read_form(body, before, lambda: self._random(SECRET_BYTES))
        wanted = await self._checked(body, form, before.org_id, before.destination_id)
        try:
            listed = await self._destinations.replace(wanted, ask.grant.name, ask.now, _condition(ask))
        except NameTaken as fault:
            raise _refused(body, fault) from None
        if listed is None:
            raise not_found("no such destination")
        return _told(listed, form.new_secret)

    async def delete(self, ask: Ask) -> Answer:
        """Takes it away; what waits for it is given up."""
        number = number_of(ask.path["destination_id"])
        by, orgs = ask.grant.name, organisations(ask)
        if number is None or not await self._destinations.delete(number, orgs, by, ask.now, _condition(ask)):
            raise not_found("no such destination")
        return Answer(b"", status=HTTPStatus.NO_CONTENT)

    async def test(self, ask: Ask) -> Answer:
        """Sends a test alert at once and tells what came of it."""
        destination = (await self._found(ask)).destination
        delivery = _test_of(destination, ask)
        attempt = await self._sender.send(Parcel(destination, [delivery], ""), ask.now)
        if attempt.verdict is Verdict.SENT and destination.channel in TWO_STEPS:
            over = delivery._replace(event=Event.RESOLVED)
            attempt = await self._sender.send(Parcel(destination, [over], ""), ask.now)
        await self._destinations.note_test(destination, delivery.alert.key, attempt, ask.grant.name, ask.now)
        return told(ALERT_TEST, _Tried(attempt.verdict is Verdict.SENT, attempt))

    async def retry(self, ask: Ask) -> Answer:
        """Puts what was given up back into the outbox, as far as it is still news."""
        found = await self._found(ask)
        count = await self._destinations.retry(found.destination, ask.grant.name, ask.now)
        return told(ALERT_RETRY, _Retried(count))

    async def _found(self, ask: Ask) -> ListedDestination:
        number = number_of(ask.path["destination_id"])
        found = None if number is None else await self._destinations.one(number, organisations(ask), ask.now)
        if found is None:
            raise not_found("no such destination")
        return found

    async def _checked(self, body: BodyReader, form: DestinationForm, org_id: str, number: str) -> Destination:
        """The destination of a form without a fault; raises a problem with all of them."""
        wanted = replace(form.destination, org_id=org_id, destination_id=number)
        at_fault = {fault.name for fault in body.faults}
        if not at_fault & {"url", "kind"} and wanted.url:
            fault = await self._sender.why_not(wanted)
            if fault is not None:
                body.fault(*fault)
        body.finish()
        return wanted


def _told(listed: ListedDestination, new_secret: str = "") -> Answer:
    row = ShownDestination(listed, new_secret)
    return told_tagged(ALERT_DESTINATION, row, destination_tag(listed), tells_more=True)


def _condition(ask: Ask) -> Condition:
    return lambda before: ask.conditions.check(destination_tag(before))


def _refused(body: BodyReader, fault: NameTaken | TooMany) -> Problem:
    if isinstance(fault, NameTaken):
        return body.refused({"name": "is the name of another destination of this organisation"})
    return body.refused({"": str(fault)})


def _test_of(destination: Destination, ask: Ask) -> Delivery:
    number = str(uuid4())
    alert = Alert(
        key=alert_key(TEST, destination.destination_id, number),
        kind=TEST,
        severity=Severity.INFO,
        org_id=destination.org_id,
        title="Test of agent-finops",
        summary=f"Sent by {ask.grant.name} to see whether alerts arrive. Nothing is wrong.",
    )
    return Delivery(number, Event.TEST, alert, "", ask.now, ask.now)

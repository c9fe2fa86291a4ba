"""The outbox: nothing lost, nothing overtaken, and whoever does not answer is left alone for longer and longer."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from alert_world import ALERT_TABLES, NOW, destination, fired, outbox, resolved, rows, runaway
from psycopg.types.json import Json

from finops.alert_delivery import DELAY_MAX, Attempt, Parcel, Verdict, judged
from finops.alerts import Severity
from ledger.alert_outbox import LEASE, DeliveryRules, Outbox
from ledger.pool import Pool

TABLES = ALERT_TABLES
SENT, AGAIN, NEVER = judged(200), judged(500), judged(404)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class Sender:
    """Claims and settles in a test's own time; ``tell`` says what comes of each parcel."""

    def __init__(self, pool: Pool, rules: DeliveryRules | None = None) -> None:
        self.outbox = Outbox(pool, rules or DeliveryRules())
        self.now = NOW
        self.sent: list[tuple[str, str, datetime]] = []
        self.ids: list[str] = []

    async def claim(self) -> list[Parcel]:
        return await self.outbox.claim(self.now, 16)

    async def turn(self, attempt: Attempt = SENT) -> list[str]:
        """Sends what is due; returns the events."""
        events = []
        for claim in await self.claim():
            for delivery in claim.deliveries:
                events.append(str(delivery.event))
                self.sent.append((delivery.alert.labels["sessionId"], str(delivery.event), self.now))
                self.ids.append(delivery.delivery_id)
            await self.outbox.settle(claim, attempt, self.now, 1.0)
        return events

    async def through(self, duration: timedelta, attempt: Attempt, step: timedelta = 5 * SECOND) -> int:
        """Time passes; how many attempts were made."""
        end, before = self.now + duration, len(self.sent)
        while self.now < end:
            await self.turn(attempt)
            self.now += step
        return len(self.sent) - before


@pytest.fixture
def sender(shared_pool: Pool) -> Sender:
    return Sender(shared_pool)


async def test_each_delivery_is_sent_once(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    assert [await sender.turn(), await sender.turn()] == [["fired"], []]
    await resolved(shared_pool, runaway().key)
    assert [await sender.turn(), await sender.turn()] == [["resolved"], []]
    assert await outbox(shared_pool) == [("fired", "delivered"), ("resolved", "delivered")]


async def test_a_destination_that_fails_for_an_hour_is_asked_less_and_less_and_told_in_order(
    shared_pool: Pool, sender: Sender
) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    attempts = await sender.through(30 * MINUTE, AGAIN)
    await resolved(shared_pool, runaway().key)
    await fired(shared_pool, runaway("s2"))
    attempts += await sender.through(30 * MINUTE, AGAIN)
    assert 10 < attempts < 30
    assert len(set(sender.ids)) == 2, "what was not told first is what is tried again"
    up = len(sender.sent)
    await sender.through(2 * DELAY_MAX, SENT)
    assert sender.sent[up][2] - NOW <= HOUR + DELAY_MAX
    assert sorted(event for session, event, _ in sender.sent[up:] if session == "s1") == ["fired", "resolved"]
    assert [event for session, event, _ in sender.sent[up:] if session == "s1"] == ["fired", "resolved"]
    assert {state for _, state in await outbox(shared_pool)} == {"delivered"}


async def test_a_delivery_is_given_up_after_its_time_and_the_next_goes_on(shared_pool: Pool) -> None:
    sender = Sender(shared_pool, DeliveryRules(give_up=HOUR))
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    await sender.through(HOUR + 2 * DELAY_MAX, AGAIN)
    assert await outbox(shared_pool) == [("fired", "dead")]
    assert await rows(shared_pool, "select last_status, last_fault from alert_deliveries") == [(500, "answered 500")]
    sender.now += DELAY_MAX
    await fired(shared_pool, runaway("s2"))
    assert await sender.turn() == ["fired"]


async def test_a_refused_delivery_is_dead_at_once(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    assert await sender.turn(NEVER) == ["fired"]
    assert await outbox(shared_pool) == [("fired", "dead")]


async def test_a_destination_that_asks_for_rest_gets_it(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    await fired(shared_pool, runaway("s2"))
    assert await sender.turn(judged(429, 10 * MINUTE)) == ["fired"]
    assert await sender.through(10 * MINUTE, SENT) == 0
    assert await sender.through(MINUTE, SENT) == 2


async def test_one_destination_that_fails_does_not_delay_another(shared_pool: Pool, sender: Sender) -> None:
    bad, good = await destination(shared_pool, "bad"), await destination(shared_pool, "good")
    await fired(shared_pool, runaway())
    claims = await sender.claim()
    assert {claim.destination.destination_id for claim in claims} == {str(bad), str(good)}
    for claim in claims:
        failed = claim.destination.name == "bad"
        await sender.outbox.settle(claim, AGAIN if failed else SENT, NOW, 1.0)
    await fired(shared_pool, runaway("s2"))
    assert [claim.destination.name for claim in await sender.claim()] == ["good"]


async def test_what_a_killed_sender_left_is_sent_again_with_the_same_identity(
    shared_pool: Pool, sender: Sender
) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    (left,) = await sender.claim()  # and its holder dies, before or after sending
    sender.now += LEASE - SECOND
    assert await sender.turn() == []
    sender.now += 2 * SECOND
    assert await sender.turn() == ["fired"]
    assert sender.ids == left.ids
    await sender.outbox.settle(left, SENT, sender.now, 1.0)  # it was only slow
    assert await outbox(shared_pool) == [("fired", "delivered")]


async def test_two_senders_never_hold_the_same_destination(shared_pool: Pool, sender: Sender) -> None:
    for number in range(4):
        await destination(shared_pool, f"hook {number}")
    await fired(shared_pool, runaway())
    other = Outbox(shared_pool, DeliveryRules())
    first, second = await sender.outbox.claim(NOW, 3), await other.claim(NOW, 3)
    assert [len(first), len(second)] == [3, 1]
    assert not {claim.lease for claim in first} & {claim.lease for claim in second}


async def test_alertmanager_is_told_again_while_it_fires_and_then_no_more(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool, kind="alertmanager")
    await fired(shared_pool, runaway())
    assert await sender.through(5 * MINUTE, SENT) == 5
    await fired(shared_pool, runaway(severity=Severity.CRITICAL))
    assert await sender.turn() == ["escalated"]
    sender.now += 2 * MINUTE
    assert await sender.turn() == ["escalated"], "the older state is not told again"
    await resolved(shared_pool, runaway().key)
    assert await sender.turn() == ["resolved"]
    assert await sender.through(5 * MINUTE, SENT) == 0


async def test_an_alert_that_ends_while_it_is_being_sent_is_not_sent_again(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool, kind="alertmanager")
    await fired(shared_pool, runaway())
    (claim,) = await sender.claim()
    await resolved(shared_pool, runaway().key)
    await sender.outbox.settle(claim, SENT, NOW, 1.0)
    assert await sender.through(5 * MINUTE, SENT) == 1
    assert sender.sent[-1][1] == "resolved"


async def test_reminders_come_at_their_interval_until_it_is_over(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool, renotify="interval", renotify_seconds=3600)
    await fired(shared_pool, runaway())
    await sender.through(3 * HOUR, SENT, MINUTE)
    assert [event for _, event, _ in sender.sent] == ["fired", "reminder", "reminder"]
    await fired(shared_pool, runaway(summary="It got worse."))
    sender.now += HOUR
    (claim,) = await sender.claim()
    assert claim.deliveries[0].alert.summary == "It got worse."
    await sender.outbox.settle(claim, SENT, sender.now, 1.0)
    await resolved(shared_pool, runaway().key)
    assert await sender.through(3 * HOUR, SENT, MINUTE) == 1
    assert sender.sent[-1][1] == "resolved"


async def silence(pool: Pool, ends_at: datetime, **matchers: list[str]) -> None:
    values = {"matchers": Json(matchers), "starts": NOW, "ends": ends_at}
    async with pool.connection() as connection:
        await connection.execute(
            "insert into alert_silences (org_id, matchers, starts_at, ends_at, comment, created_at, created_by) "
            "values ('', %(matchers)s, %(starts)s, %(ends)s, '', %(starts)s, 'ada')",
            values,
        )


async def test_a_silenced_alert_is_told_when_the_silence_ends_if_it_still_fires(
    shared_pool: Pool, sender: Sender
) -> None:
    await destination(shared_pool)
    await silence(shared_pool, NOW + HOUR, sessionId=["s1"])
    await fired(shared_pool, runaway())
    await fired(shared_pool, runaway("s2"))
    assert [await sender.turn(), await sender.turn()] == [["fired"], []]
    assert sender.sent[-1][0] == "s2"
    assert await sender.through(HOUR, SENT, MINUTE) == 0
    assert await sender.turn() == ["fired"]


async def test_a_silenced_alert_that_is_over_before_the_silence_is_told_to_nobody(
    shared_pool: Pool, sender: Sender
) -> None:
    await destination(shared_pool)
    await silence(shared_pool, NOW + HOUR)
    await fired(shared_pool, runaway())
    await sender.turn()
    await resolved(shared_pool, runaway().key)
    await fired(shared_pool, runaway("quick"))
    await resolved(shared_pool, runaway("quick").key)
    assert await sender.through(3 * HOUR, SENT, MINUTE) == 0
    assert {state for _, state in await outbox(shared_pool)} == {"silenced"}


async def test_the_end_of_what_was_told_is_told_through_a_silence(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    await sender.turn()
    await silence(shared_pool, NOW + HOUR)
    await resolved(shared_pool, runaway().key)
    assert await sender.turn() == ["resolved"]


async def test_a_silence_over_warnings_lets_the_critical_through(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool)
    await silence(shared_pool, NOW + HOUR, severity=["warning"])
    await fired(shared_pool, runaway())
    assert await sender.turn() == []
    await fired(shared_pool, runaway(severity=Severity.CRITICAL))
    assert await sender.turn() == ["escalated"]


async def test_what_is_refused_together_is_told_one_by_one(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool, kind="slack")
    for session in ("s1", "s2", "s3"):
        await fired(shared_pool, runaway(session))
    assert len(await sender.turn(NEVER)) == 3
    told: dict[str, Any] = {}
    for verdict in (SENT, NEVER, SENT):
        assert len(await sender.turn(verdict)) == 1
        told[sender.sent[-1][0]] = verdict.verdict
        sender.now += SECOND
    assert sorted(told) == ["s1", "s2", "s3"]
    assert sorted(state for _, state in await outbox(shared_pool)) == ["dead", "delivered", "delivered"]


async def test_a_clock_that_was_ahead_for_a_moment_does_not_stop_deliveries(shared_pool: Pool, sender: Sender) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    sender.now += timedelta(days=365)
    await sender.turn(AGAIN)
    await sender.claim()
    sender.now = NOW + MINUTE
    await sender.outbox.mend_clock(sender.now)
    assert await sender.through(2 * HOUR, SENT, MINUTE) == 1


def test_verdicts_of_statuses() -> None:
    by_status = {status: judged(status).verdict for status in (200, 202, 204, 302, 400, 404, 408, 410, 425, 429, 503)}
    sent, again = {200, 202, 204}, {408, 425, 429, 503}
    assert {status for status, verdict in by_status.items() if verdict is Verdict.SENT} == sent
    assert {status for status, verdict in by_status.items() if verdict is Verdict.AGAIN} == again


async def test_of_what_waits_beyond_the_limit_the_oldest_is_given_up_and_no_end_of_what_was_told(
    shared_pool: Pool,
) -> None:
    sender = Sender(shared_pool, DeliveryRules(waiting_max=3))
    told = str(await destination(shared_pool))
    await fired(shared_pool, runaway("told"))
    assert await sender.turn() == ["fired"]
    for number in range(6):
        await fired(shared_pool, runaway(f"s{number}"))
    await resolved(shared_pool, runaway("told").key)
    assert await sender.outbox.give_up_the_oldest() == {told: 3}
    assert await sender.outbox.give_up_the_oldest() == {}
    dead = await rows(shared_pool, "select alert ->> 'key', last_fault from alert_deliveries where state = 'dead'")
    assert {key for key, _ in dead} == {runaway(f"s{number}").key for number in range(3)}
    assert all("FINOPS_ALERT_WAITING_MAX" in fault for _, fault in dead)
    await sender.through(MINUTE, SENT)
    assert sorted((name, event) for name, event, _ in sender.sent[1:]) == [
        ("s3", "fired"),
        ("s4", "fired"),
        ("s5", "fired"),
        ("told", "resolved"),
    ]

"""Firing and resolving: told once, with the caller's change or not at all."""

import asyncio
from typing import Any

import pytest
from alert_world import ALERT_TABLES, NOW, destination, fired, outbox, resolved, rows, runaway
from psycopg.types.json import Json

from finops.alerts import Severity
from ledger.alerts import fire, resolve
from ledger.pool import Pool

TABLES = ALERT_TABLES
CRITICAL = Severity.CRITICAL


async def test_an_alert_is_told_once_when_it_fires_and_once_when_it_is_over(shared_pool: Pool) -> None:
    await destination(shared_pool)
    alert = runaway()
    told = [await fired(shared_pool, alert) for _ in range(3)]
    assert [(one.opened, one.told) for one in told] == [(True, 1), (False, 0), (False, 0)]
    assert await outbox(shared_pool) == [("fired", "waiting")]
    assert [await resolved(shared_pool, alert.key) for _ in range(2)] == [True, False]
    assert await outbox(shared_pool) == [("fired", "waiting"), ("resolved", "waiting")]


async def test_the_same_trouble_later_is_a_new_alert(shared_pool: Pool) -> None:
    await destination(shared_pool)
    first = await fired(shared_pool, runaway())
    await resolved(shared_pool, runaway().key)
    second = await fired(shared_pool, runaway())
    assert second.opened
    assert second.alert_id > first.alert_id


async def test_a_change_that_is_rolled_back_tells_nobody(shared_pool: Pool) -> None:
    await destination(shared_pool)
    async with shared_pool.connection() as connection, connection.transaction(force_rollback=True):
        await fire(connection, runaway(), NOW)
    assert await outbox(shared_pool) == await rows(shared_pool, "select * from alerts") == []
    await fired(shared_pool, runaway())
    async with shared_pool.connection() as connection, connection.transaction(force_rollback=True):
        assert await resolve(connection, runaway().key, NOW)
    assert await outbox(shared_pool) == [("fired", "waiting")]


async def test_many_who_fire_the_same_at_once_open_one_alert(shared_pool: Pool) -> None:
    await destination(shared_pool)
    told = await asyncio.gather(*(fired(shared_pool, runaway()) for _ in range(8)))
    assert sum(one.opened for one in told) == 1
    assert len({one.alert_id for one in told}) == 1
    assert await outbox(shared_pool) == [("fired", "waiting")]


async def test_money_in_an_alert_has_all_its_digits(shared_pool: Pool) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    await resolved(shared_pool, runaway().key)
    kept = await rows(shared_pool, "select alert->'figures'->>'burnRateUsdPerHour' from alert_deliveries")
    assert kept == [("4.200000000001",)] * 2


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({}, 1),
        ({"org_id": "acme"}, 1),
        ({"org_id": "other"}, 0),
        ({"matchers": Json({"agentId": ["clerk", "x"], "kind": ["anomaly"]})}, 1),
        ({"matchers": Json({"agentId": ["x"]})}, 0),
        ({"matchers": Json({"sessionId": ["s1"]})}, 1),
        ({"matchers": Json({"nothing": ["s1"]})}, 0),
        ({"enabled": False}, 0),
        ({"deleted_at": NOW}, 0),
    ],
)
async def test_only_destinations_that_an_alert_fits_are_told(
    shared_pool: Pool, columns: dict[str, Any], told: int
) -> None:
    await destination(shared_pool, **columns)
    assert (await fired(shared_pool, runaway())).told == told


@pytest.mark.parametrize(("renotify", "events"), [("never", ["fired"]), ("onEscalation", ["fired", "escalated"])])
async def test_a_worse_severity_is_news_to_those_who_want_it(
    shared_pool: Pool, renotify: str, events: list[str]
) -> None:
    await destination(shared_pool, renotify=renotify)
    await fired(shared_pool, runaway())
    await rows_done(shared_pool)
    for severity in (CRITICAL, CRITICAL, Severity.WARNING):
        await fired(shared_pool, runaway(severity=severity))
    assert [event for event, _ in await outbox(shared_pool)] == events
    assert await rows(shared_pool, "select severity from alerts") == [("warning",)]


async def rows_done(pool: Pool) -> None:
    async with pool.connection() as connection:
        await connection.execute("update alert_deliveries set state = 'delivered'")


async def test_what_was_not_told_yet_is_not_told_once_it_is_worse(shared_pool: Pool) -> None:
    await destination(shared_pool)
    await fired(shared_pool, runaway())
    await fired(shared_pool, runaway(severity=CRITICAL))
    assert await outbox(shared_pool) == [("fired", "superseded"), ("escalated", "waiting")]
    await resolved(shared_pool, runaway().key)
    assert (await outbox(shared_pool))[-1] == ("resolved", "waiting")


async def test_a_destination_made_later_is_not_told_the_end_of_what_it_never_heard_of(shared_pool: Pool) -> None:
    await fired(shared_pool, runaway())
    await destination(shared_pool)
    await resolved(shared_pool, runaway().key)
    assert await outbox(shared_pool) == []

"""The judge's seat: one at a time, and free as soon as its holder is gone."""

import asyncio

import psycopg
import pytest

from finops.spans import LedgerUnavailable
from ledger.leadership import Seat


async def test_one_holds_the_seat_until_it_leaves(database_url: str) -> None:
    first, second = Seat(database_url), Seat(database_url)
    assert [await first.hold(), await first.hold(), await second.hold(), await second.hold()] == [
        True,
        True,
        False,
        False,
    ]
    await first.leave()
    assert await taken(second)
    assert not await first.hold()
    await first.leave()
    await second.leave()


async def taken(seat: Seat) -> bool:
    async with asyncio.timeout(30):
        while not await seat.hold():
            pass
    return True


async def test_a_holder_whose_connection_ends_knows_and_another_follows(database_url: str, server_url: str) -> None:
    first, second = Seat(database_url), Seat(database_url)
    assert await first.hold()
    with psycopg.connect(server_url, autocommit=True) as connection:
        seats = (
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = %s and datname = %s"
        )
        assert connection.execute(seats, ["finops-judge-seat", database_url.rpartition("/")[2]]).rowcount == 1
    assert await taken(second)
    with pytest.raises(LedgerUnavailable):
        await first.hold()
    assert not await first.hold()
    await first.leave()
    await second.leave()


async def test_a_holder_that_says_nothing_loses_the_seat(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.leadership._SERVER_SIDE", {"idle_session_timeout": 100})
    silent = Seat(database_url)
    assert await silent.hold()
    monkeypatch.undo()
    other = Seat(database_url)
    assert await taken(other)
    await silent.leave()
    await other.leave()

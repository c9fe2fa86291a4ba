"""Who asks often is let in from memory; a token is looked up again behind the answer, a revoked one not for long."""

import asyncio

import pytest

from finops.access import Grant, Scope
from finops.spans import LedgerUnavailable
from query_api.auth import FRESH_SECONDS, REMEMBERED_SECONDS, Gate
from query_api.problems import Problem

READER = Grant("reader", frozenset({Scope.READ}))


class Stored:
    """One token, in a database that answers slowly, or not at all."""

    def __init__(self) -> None:
        self.grant_now: Grant | None = READER
        self.looked_up = 0
        self.down = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.seconds = 0.0
        self.gate = Gate(self, lambda: self.seconds)

    async def grant(self, digest: bytes) -> Grant | None:
        self.looked_up += 1
        await self.answers.wait()
        if self.down:
            raise LedgerUnavailable("down")
        return self.grant_now

    async def admit(self) -> Grant:
        return await self.gate.admit(["Bearer secret"], Scope.READ)


async def test_a_token_in_use_is_looked_up_again_and_nobody_waits_for_it() -> None:
    stored = Stored()
    await stored.admit()
    stored.answers.clear()
    stored.seconds = FRESH_SECONDS + 0.1
    for _ in range(10):
        assert await stored.admit() == READER
    stored.answers.set()
    await asyncio.sleep(0)
    assert stored.looked_up == 2
    stored.seconds = REMEMBERED_SECONDS + 0.1
    assert await stored.admit() == READER, "the second look serves on"


async def test_many_who_ask_at_once_are_one_look() -> None:
    stored = Stored()
    assert await asyncio.gather(*(stored.admit() for _ in range(20))) == [READER] * 20
    assert stored.looked_up == 1


async def test_a_revoked_token_is_refused_once_the_look_behind_an_answer_has_seen_it() -> None:
    stored = Stored()
    await stored.admit()
    stored.grant_now, stored.seconds = None, FRESH_SECONDS + 0.1
    await stored.admit()
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await stored.admit()
    assert refused.value.status == 401


async def test_while_the_database_is_away_a_token_serves_three_seconds_and_no_longer() -> None:
    stored = Stored()
    await stored.admit()
    stored.down, stored.seconds = True, REMEMBERED_SECONDS - 0.1
    assert await stored.admit() == READER
    await asyncio.sleep(0)
    stored.seconds = REMEMBERED_SECONDS + 0.1
    with pytest.raises(LedgerUnavailable):
        await stored.admit()

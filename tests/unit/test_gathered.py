"""What is waited for is read together; nothing older than the limit is given out; a fault reaches who waits."""

import asyncio
from collections.abc import Sequence

import pytest

from finops.spans import LedgerUnavailable
from query_api.gathered import Gathered
from query_api.remembered import Freshness


class Source:
    """Answers in upper case, once it may."""

    def __init__(self) -> None:
        self.readings: list[list[str]] = []
        self.seconds = 0.0
        self.down = False
        self.memory: Gathered[str, str] = Gathered(self.read, Freshness(1.0, 5.0, 3), lambda: self.seconds)

    async def read(self, questions: Sequence[str]) -> list[str]:
        self.readings.append(list(questions))
        await asyncio.sleep(0)
        if self.down:
            raise LedgerUnavailable("down")
        return [question.upper() for question in questions]

    async def get(self, name: str) -> tuple[str, float]:
        return await self.memory.get(name, name)


async def test_each_question_is_read_once_however_many_ask_it() -> None:
    source = Source()
    found = await asyncio.gather(*(source.get(name) for name in "abcabc"))
    assert [value for value, _ in found] == list("ABCABC")
    assert sorted(name for reading in source.readings for name in reading) == ["a", "b", "c"]


async def test_an_old_value_is_read_again_behind_the_answer_and_one_too_old_is_waited_for() -> None:
    source = Source()
    await source.get("a")
    source.seconds = 0.5
    assert await source.get("a") == ("A", 0.5)
    assert len(source.readings) == 1
    source.seconds = 2.0
    assert await source.get("a") == ("A", 2.0)
    async with asyncio.timeout(10):
        while len(source.readings) < 2 or (await source.get("a"))[1]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    source.seconds = 7.1
    assert await source.get("a") == ("A", 0.0)


async def test_a_fault_reaches_who_waits_and_is_forgotten_with_the_next_reading() -> None:
    source = Source()
    source.down = True
    with pytest.raises(LedgerUnavailable):
        await source.get("a")
    source.down = False
    assert await source.get("a") == ("A", 0.0)


async def test_no_more_values_are_kept_than_may_be() -> None:
    source = Source()
    for name in "abcd":
        await source.get(name)
    await source.get("a")
    assert len(source.readings) == 5

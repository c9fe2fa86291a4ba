"""One token asks as fast as it may, and what it may is told."""

import pytest

from query_api.pace import PaceLimits, Paces
from query_api.problems import Problem


class Clock:
    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def taken(paces: Paces, name: str, count: int) -> int:
    """How many of ``count`` requests are let through."""
    through = 0
    for _ in range(count):
        try:
            paces.take(name)
            through += 1
        except Problem:
            continue
    return through


def test_after_a_pause_a_burst_and_then_so_many_a_second() -> None:
    clock = Clock()
    paces = Paces(PaceLimits(10, 30), clock)
    assert taken(paces, "reader", 100) == 30
    assert taken(paces, "other", 5) == 5, "every token has its own"
    for _ in range(5):
        clock.seconds += 1
        assert taken(paces, "reader", 100) == 10
    clock.seconds += 3600
    assert taken(paces, "reader", 100) == 30


def test_retry_after_is_when_it_helps() -> None:
    clock = Clock()
    paces = Paces(PaceLimits(1, 1), clock)
    paces.take("reader")
    with pytest.raises(Problem) as refused:
        paces.take("reader")
    assert refused.value.status == 429
    clock.seconds += int(refused.value.headers["Retry-After"])
    paces.take("reader")


async def test_none_is_no_limit_and_refusals_are_counted() -> None:
    assert taken(Paces(PaceLimits(0, 1), Clock()), "reader", 1000) == 1000
    paces = Paces(PaceLimits(1, 5), Clock())
    assert taken(paces, "reader", 9) == 5
    families = await paces.families(None)
    assert [sample.value for family in families for sample in family.samples] == [4, 1]


def test_decisions_do_not_count_as_requests_nor_requests_as_decisions() -> None:
    paces = Paces(PaceLimits(1, 5, 200), Clock())
    assert taken(paces, "guard", 9) == 5
    for _ in range(200):
        paces.take("guard", decides=True)
    with pytest.raises(Problem) as refused:
        paces.take("guard", decides=True)
    assert "for decisions more than 200 times" in refused.value.detail

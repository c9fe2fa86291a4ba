"""When a process that ended by itself is started again, and when that is given up."""

from standalone.restarts import DELAY_SECONDS_MAX, RESTARTS_MAX, RESTARTS_WINDOW_SECONDS, Restarts


def test_each_end_is_answered_later_until_it_is_given_up() -> None:
    restarts = Restarts()
    delays = [restarts.delay_after_end(0.0) for _ in range(RESTARTS_MAX)]
    assert delays == sorted(delays, key=lambda delay: delay or 0.0)
    assert all(delay is not None and delay <= DELAY_SECONDS_MAX for delay in delays)
    assert restarts.delay_after_end(0.0) is None


def test_ends_long_ago_are_forgiven() -> None:
    restarts = Restarts()
    first = restarts.delay_after_end(0.0)
    for _ in range(RESTARTS_MAX - 1):
        restarts.delay_after_end(1.0)
    assert restarts.delay_after_end(2.0) is None
    assert restarts.delay_after_end(RESTARTS_WINDOW_SECONDS + 10.0) == first


def test_an_end_now_and_then_is_answered_for_ever() -> None:
    restarts = Restarts()
    assert all(restarts.delay_after_end(day * 86_400.0) is not None for day in range(1000))

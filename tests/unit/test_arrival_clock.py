"""Arrivals are dated by the system's clock, but for a step back by minutes."""

from collector.arrival_clock import STEP_BACK_NS_MAX, ArrivalClock

HOUR = 3600 * 10**9
START = 1_790_000_000 * 10**9


class SetClocks:
    """Both, by hand; ``step`` sets the system's alone."""

    def __init__(self) -> None:
        self.unix = START
        self.monotonic = 7

    def passes(self, ns: int) -> None:
        self.unix += ns
        self.monotonic += ns


def clock_of(clocks: SetClocks) -> ArrivalClock:
    return ArrivalClock(lambda: clocks.unix, lambda: clocks.monotonic)


def test_it_is_the_systems_clock() -> None:
    clocks = SetClocks()
    clock = clock_of(clocks)
    clocks.passes(HOUR)
    assert clock() == START + HOUR


def test_a_step_forward_and_small_steps_back_are_followed() -> None:
    clocks = SetClocks()
    clock = clock_of(clocks)
    clocks.unix += HOUR
    assert clock() == START + HOUR
    clocks.unix -= STEP_BACK_NS_MAX
    assert clock() == START + HOUR - STEP_BACK_NS_MAX


def test_a_large_step_back_is_not_followed_until_the_system_is_where_it_would_be() -> None:
    clocks = SetClocks()
    clock = clock_of(clocks)
    clocks.unix -= HOUR
    clocks.passes(10)
    assert clock() == START + 10
    clocks.unix += HOUR
    clocks.passes(10)
    assert clock() == clocks.unix == START + 20


def test_a_step_forward_may_be_taken_back() -> None:
    clocks = SetClocks()
    clock = clock_of(clocks)
    clocks.unix += 24 * HOUR
    assert clock() == START + 24 * HOUR
    clocks.unix -= 24 * HOUR
    clocks.passes(10)
    assert clock() == START + 10
    clocks.unix -= HOUR
    assert clock() == START + 10, "but not to before where it began"


def test_the_year_2100_is_a_time_like_any_other() -> None:
    clocks = SetClocks()
    clocks.unix = 4_102_444_800 * 10**9
    clock = clock_of(clocks)
    clocks.passes(10)
    assert clock() == clocks.unix

"""The clock that arrivals are dated by: the system's, but for a step back by minutes, which is not followed.

A call that ends well after its arrival is dated at its arrival, because the sender's clock is then the likelier to be
wrong. A system clock that is set back would make every sender look like that, and move what is spent into other hours.
One that only comes back to where it began, after a step forward, is followed.
"""

from collections.abc import Callable
from typing import Final

from finops.event_time import FUTURE_NS_MAX

STEP_BACK_NS_MAX: Final = FUTURE_NS_MAX
"""A larger step back is not followed; time goes on from where it was."""


class ArrivalClock:
    """Unix nanoseconds, from the system's clock and a monotonic one."""

    def __init__(self, unix_ns: Callable[[], int], monotonic_ns: Callable[[], int]) -> None:
        self._unix_ns = unix_ns
        self._monotonic_ns = monotonic_ns
        self._ahead_ns = unix_ns() - monotonic_ns()
        """Of the monotonic clock, by the last look that was followed."""
        self._began_ahead_ns = self._ahead_ns

    def __call__(self) -> int:
        """Now."""
        unix, monotonic = self._unix_ns(), self._monotonic_ns()
        expected = monotonic + self._ahead_ns
        first_expected = monotonic + self._began_ahead_ns
        if unix < min(expected, first_expected) - STEP_BACK_NS_MAX:
            return expected
        self._ahead_ns = unix - monotonic
        return unix

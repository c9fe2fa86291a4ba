"""How often, and after how long, a process that ended by itself is started again."""

from collections import deque

RESTARTS_MAX = 5
RESTARTS_WINDOW_SECONDS = 300.0
"""One more end than RESTARTS_MAX within this time, and the whole is given up."""
FIRST_DELAY_SECONDS = 0.5
DELAY_SECONDS_MAX = 10.0


class Restarts:
    """The ends of one process that were answered with a new start."""

    def __init__(self) -> None:
        self._ends: deque[float] = deque(maxlen=RESTARTS_MAX)

    def delay_after_end(self, now: float) -> float | None:
        """Seconds to wait before the next start, doubling with each recent end; None: give up."""
        while self._ends and now - self._ends[0] > RESTARTS_WINDOW_SECONDS:
            self._ends.popleft()
        if len(self._ends) == RESTARTS_MAX:
            return None
        delay = min(FIRST_DELAY_SECONDS * 2 ** len(self._ends), DELAY_SECONDS_MAX)
        self._ends.append(now)
        return float(delay)

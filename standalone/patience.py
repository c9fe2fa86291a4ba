"""Waiting in small steps, and saying so when the whole of it grows long."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 2.0
"""A wait longer than this is reported, and again each time it has grown fivefold."""
STEP_SECONDS = 0.02


class Patience:
    """One wait for something: call `wait` until it is there."""

    def __init__(self, what: str, say: Callable[[str], None]) -> None:
        self._what = what
        self._say = say
        self._began = time.monotonic()
        self._next = PATIENCE_SECONDS

    def waited(self) -> float:
        """Seconds since the wait began."""
        return time.monotonic() - self._began

    def wait(self, detail: Callable[[], str] = lambda: "") -> None:
        """Sleep one step; `detail` is asked for only when there is something to say."""
        waited = self.waited()
        if waited > self._next:
            self._next = waited * 5
            self._say(": ".join(filter(None, (f"{self._what} ({waited:.0f} s so far)", detail()))))
        time.sleep(STEP_SECONDS)

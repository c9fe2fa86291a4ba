"""The two services as children of this process: started, heard, started again when they end by themselves, drained."""

import selectors
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from standalone.child import Child
from standalone.failures import CannotStart
from standalone.log_file import LogFile
from standalone.patience import Patience
from standalone.restarts import RESTARTS_MAX, Restarts

START_SECONDS = 60.0
"""How long a service may take until it says that it is ready."""
DRAIN_SECONDS = 20.0
"""How long a service may take to drain when it is asked to stop; the collector's own limit is below it."""
LOG_LINES_SHOWN = 12
"""How much of a log is shown when its service cannot start."""


@dataclass(slots=True)
class _Member:
    """A watched service and its past."""

    child: Child
    restarts: Restarts = field(default_factory=Restarts)
    start_due: float | None = None
    ready_due: float | None = None


class Services:
    """Children that are kept running, in the order in which they are drained: who takes new work goes first."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self._logs = logs
        self._say = say
        self._members: list[_Member] = []

    def start(
        self,
        commands: Mapping[str, list[str]],
        environment: Mapping[str, str],
        own: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """Start all by name and return when each said that it is ready; ``own`` is told to one of them only.

        Raises CannotStart with its last words.
        """
        for name, command in commands.items():
            member = _Member(
                Child(name, command, {**environment, **(own or {}).get(name, {})}, LogFile(self._logs / f"{name}.log"))
            )
            self._members.append(member)
            _begin(member)
        for member in self._members:
            patience = Patience(f"{member.child.name} is starting", self._say)
            while member.ready_due is not None:
                self.listen(0.1)
                self._notice_ready(member)
                if member.child.status is not None or patience.waited() > START_SECONDS:
                    raise CannotStart(last_words(member.child, LOG_LINES_SHOWN))

    def listen(self, seconds: float) -> None:
        """Wait this long at most for any child to say something, and hear all of them."""
        with selectors.DefaultSelector() as selector:
            for member in self._members:
                if member.child.output is not None:
                    selector.register(member.child.output, selectors.EVENT_READ)
            if selector.get_map():
                selector.select(seconds)
            else:
                time.sleep(seconds)
        for member in self._members:
            member.child.attend()

    def look_after(self) -> None:
        """Start again what ended. Raises CannotStart where that was done too often."""
        for member in self._members:
            self._look_after(member)
            member.child.log.bound()

    def stop(self) -> None:
        """Drain one after the other."""
        for member in self._members:
            member.child.stop(DRAIN_SECONDS, self._say)
        self._members.clear()

    def kill(self) -> None:
        """End all at once."""
        for member in self._members:
            member.child.kill()
        self._members.clear()

    def _notice_ready(self, member: _Member) -> None:
        if member.ready_due is not None and member.child.ready is not None:
            member.ready_due = None
            self._say(f"ready {member.child.name} {member.child.ready}".rstrip())

    def _look_after(self, member: _Member) -> None:
        now = time.monotonic()
        self._notice_ready(member)
        if member.start_due is not None:
            if now >= member.start_due:
                _begin(member)
            return
        if member.ready_due is not None and now > member.ready_due:
            self._say(last_words(member.child, 1))
            member.child.kill()
        if member.child.status is None:
            return
        delay = member.restarts.delay_after_end(now)
        if delay is None:
            raise CannotStart(f"gave up after {RESTARTS_MAX} restarts: {last_words(member.child, LOG_LINES_SHOWN)}")
        self._say(f"{last_words(member.child, 1)}: it is started again in {delay:g} s")
        member.child.kill()
        member.ready_due, member.start_due = None, now + delay


def _begin(member: _Member) -> None:
    member.child.start()
    member.start_due = None
    member.ready_due = time.monotonic() + START_SECONDS


def last_words(child: Child, lines: int) -> str:
    """How a child ended, with the end of its log: below it, or in brackets if it is one line only."""
    if child.status is None:
        how = f"did not become ready in {START_SECONDS:.0f} s"
    elif child.status < 0:
        how = f"was ended by signal {-child.status}"
    else:
        how = f"ended with status {child.status}"
    said = child.log.tail(lines)
    if lines == 1:
        return f"{child.name} {how} ({said[0]})" if said else f"{child.name} {how}"
    return "\n  ".join([f"{child.name} {how} (see {child.log.path}):", *said])

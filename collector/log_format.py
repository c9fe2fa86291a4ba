"""Log lines as JSON objects, one a line, without any byte of a payload: faults are shown by place, not by message."""

import json
import logging
import traceback
from collections.abc import Callable

_PLAIN = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}
VALUE_CHARACTERS_MAX = 512


class JsonLines(logging.Formatter):
    """Time, level, stage, message and whatever was given as ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "stage": record.name.removeprefix("collector."),
            # The first line only: asyncio writes the text of exceptions into the ones below.
            "message": record.getMessage().partition("\n")[0][:VALUE_CHARACTERS_MAX],
        }
        for name, value in record.__dict__.items():
            if name not in _PLAIN:
                line[name] = value if isinstance(value, int | float | None) else str(value)[:VALUE_CHARACTERS_MAX]
        if record.exc_info and record.exc_info[1] is not None:
            line["fault"] = where(record.exc_info[1])
        return json.dumps(line)


def where(fault: BaseException) -> str:
    """Type and innermost place of an exception. Its message is left out: it may quote what a sender sent."""
    frames = traceback.extract_tb(fault.__traceback__, limit=-1)
    place = f" at {frames[0].filename.rpartition('/')[2]}:{frames[0].lineno}" if frames else ""
    return type(fault).__name__ + place


class Sparse:
    """Lets one message of a kind through every ``seconds``; a flood of bad senders must not become a flood of lines."""

    def __init__(self, monotonic: Callable[[], float], seconds: float = 1.0) -> None:
        self._monotonic = monotonic
        self._seconds = seconds
        self._last: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def held_back(self, kind: str) -> int | None:
        """How many lines of this kind were held back since the last one, or None: hold this one back, too."""
        now = self._monotonic()
        if now - self._last.get(kind, float("-inf")) < self._seconds:
            self._held_back[kind] = self._held_back.get(kind, 0) + 1
            return None
        self._last[kind] = now
        return self._held_back.pop(kind, 0)

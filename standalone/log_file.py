"""A log file several processes append to, kept below a size by whoever supervises them."""

import os
import shutil
from pathlib import Path
from typing import IO

from standalone.postgres_home import make_directory

LOG_BYTES_MAX = 10_000_000
"""A log larger than this becomes `<name>.1`, replacing the one before: a service keeps at most twice this much."""
_TAIL_BYTES = 20_000


class LogFile:
    """One service's log, in a directory only its owner can read."""

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        self.path = path
        self._bytes_max = bytes_max
        self._mark = 0

    def open(self) -> IO[bytes]:
        """For appending; `tail` speaks of what comes after this moment."""
        make_directory(self.path.parent, 0o700)
        file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - the caller closes it
        self._mark = os.fstat(file.fileno()).st_size
        return file

    def bound(self) -> None:
        """Make room if it is too large. Appenders keep their file open: it is copied, then emptied."""
        try:
            if self.path.stat().st_size <= self._bytes_max:
                return
        except FileNotFoundError:
            return
        shutil.copyfile(self.path, self.path.with_name(f"{self.path.name}.1"))
        os.truncate(self.path, 0)
        self._mark = 0

    def tail(self, lines: int) -> list[str]:
        """The last lines since it was opened last."""
        with open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(min(self._mark, size), size - _TAIL_BYTES))
            return file.read().decode("utf-8", "replace").splitlines()[-lines:]

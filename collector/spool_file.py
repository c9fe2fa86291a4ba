"""The file of a spool on the disk: opened, locked, or put aside; and what it says when the disk is full.

SQLite in WAL mode with ``synchronous=FULL``. What its rows mean is ``spool``'s.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FORMAT = 1
"""Of the rows; a file of another format is refused, never guessed at."""
PAGE_BYTES = 4096
UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_SHMSIZE)
_FILES = ("", "-wal", "-shm")
"""What SQLite appends to a name; in an order in which a crash between two leaves nothing that cannot be read."""
_SCHEMA = """
create table if not exists exports (
    seq integer primary key autoincrement,
    arrived_ns integer not null,
    spans integer not null,
    crc integer not null,
    damaged integer not null default 0,
    body blob not null
)"""


def is_full(fault: sqlite3.Error | OSError) -> bool:
    """Whether the disk, or the bound of the file, is the reason."""
    if isinstance(fault, OSError):
        return fault.errno == errno.ENOSPC
    return getattr(fault, "sqlite_errorcode", 0) in _FULL  # an error of ours has none


@contextmanager
def unless_full() -> Iterator[None]:
    """Nothing happens to what does not fit on the disk."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        if not is_full(fault):
            raise


def opened(path: Path, bytes_max: int) -> sqlite3.Connection:
    """The file, made where it is missing. Raises ``sqlite3.Error``; see ``is_full`` and ``UNREADABLE``."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    file = sqlite3.connect(path, check_same_thread=False, timeout=5)
    try:
        _prepare(file, path, bytes_max)
    except BaseException:
        file.close()
        raise
    return file


def _prepare(file: sqlite3.Connection, path: Path, bytes_max: int) -> None:
    file.execute("pragma locking_mode = exclusive").fetchall()  # then there is no -shm
    (version,) = file.execute("pragma user_version").fetchone()
    if version not in (0, FORMAT):
        raise sqlite3.DatabaseError(f"{path} is of format {version}, this collector reads {FORMAT}")
    file.execute(f"pragma max_page_count = {bytes_max * 2 // PAGE_BYTES + 64}").fetchall()
    if not version:  # a file that is there opens without writing, for there may be no room
        file.execute(f"pragma page_size = {PAGE_BYTES}")
        file.execute("pragma auto_vacuum = incremental")
    file.execute("pragma journal_mode = wal").fetchall()
    file.execute("pragma synchronous = full")
    if not version:
        with file:
            file.execute(_SCHEMA)
            file.execute(f"pragma user_version = {FORMAT}")


def put_aside(path: Path) -> str:
    """Give a file that cannot be read another name, for people; returns that."""
    number = sum(1 for _ in path.parent.glob(f"{path.stem}.unreadable-*.sqlite")) + 1
    aside = path.with_name(f"{path.stem}.unreadable-{number}.sqlite")
    for ending in _FILES:
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside.name


def locked(path: Path) -> int:
    """The descriptor of a lock that is ours until it is closed or this process ends, or -1: somebody else's."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return -1
    return lock


def remove(path: Path) -> None:
    """The file and what belongs to it."""
    for ending in _FILES:
        path.with_name(path.name + ending).unlink(missing_ok=True)

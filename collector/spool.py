"""A bounded store on the local disk for exports that the ledger could not take in time.

What is put is on disk (SQLite, WAL, ``synchronous=FULL``) when ``put`` returns, and is read again in the order it came.
It holds normalized records and reasons, never prompts and never the bytes that were received. Every method blocks and
belongs to one thread. When exports go here and when they leave is ``spool_overflow``'s.
"""

import fcntl
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from finops.spans import Rejected, SpanRecord

FORMAT = 1
"""Of the rows; a file of another format is refused, never guessed at."""
SLOTS_MAX = 64
"""Collectors that can share one directory, each with a file of its own."""
PAGE_BYTES = 4096
_UNREADABLE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SCHEMA = """
create table if not exists exports (
    seq integer primary key autoincrement,
    arrived_ns integer not null,
    spans integer not null,
    crc integer not null,
    damaged integer not null default 0,
    body blob not null
)"""


class SpoolUnavailable(Exception):
    """The spool cannot take this now; nothing of it was kept. ``reason``: full, disk or closed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Spooled(NamedTuple):
    """One group of exports as it was put."""

    seq: int
    arrived_ns: int
    """Unix nanoseconds."""
    records: list[SpanRecord]
    rejected: list[Rejected]


class _Body(NamedTuple):
    records: list[SpanRecord]
    rejected: list[Rejected]


_decode = msgspec.msgpack.Decoder(_Body).decode


class Spool:
    """The file ``spool-<slot>.sqlite`` in ``directory``: the first that no living collector holds."""

    def __init__(self, directory: Path, bytes_max: int) -> None:
        self.bytes_max = bytes_max
        self.bytes = 0
        """Of the rows that wait; the file is larger by some pages."""
        self.exports = 0
        self.oldest_ns = 0
        """When the oldest arrived; 0: there is none."""
        self.damaged = 0
        """Rows that cannot be read; they stay in the file for people."""
        self.unreadable = ""
        """Where a file was put that is no database any more."""
        self._directory = directory
        self._broken = False
        self._lock = -1
        self._path = directory
        self._file: sqlite3.Connection | None = None

    def open(self) -> None:
        """Take a slot and what dead collectors left in theirs. Raises ``OSError`` or ``sqlite3.Error``."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for slot in range(SLOTS_MAX):
            self._path = self._directory / f"spool-{slot}.sqlite"
            self._lock = _locked(self._path.with_suffix(".lock"))
            if self._lock >= 0:
                break
        else:
            raise OSError(f"all {SLOTS_MAX} spools in {self._directory} are in use")
        try:
            self._file = _opened(self._path, self.bytes_max)
        except sqlite3.DatabaseError as fault:
            if getattr(fault, "sqlite_errorcode", 0) not in _UNREADABLE:
                raise
            self.unreadable = _put_aside(self._path)
            self._file = _opened(self._path, self.bytes_max)
        self._adopt()
        self._recount()

    def close(self) -> None:
        """Everything stays on disk. Harmless when it is closed."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def put(self, records: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> int:
        """On disk when this returns the row's number. Raises ``SpoolUnavailable``."""
        if self._file is None or self._broken:
            raise SpoolUnavailable("closed" if self._file is None else "disk")
        body = msgspec.msgpack.encode(_Body(list(records), list(rejected)))
        if self.bytes + len(body) > self.bytes_max:
            raise SpoolUnavailable("full")
        row = (arrived_ns, len(records) + len(rejected), crc32(body), body)
        try:
            with self._file:
                statement = "insert into exports (arrived_ns, spans, crc, body) values (?, ?, ?, ?)"
                seq = self._file.execute(statement, row).lastrowid
        except sqlite3.Error as fault:
            # A disk that failed to take a page may say yes the next time and not mean it: only "full" is trusted again.
            self._broken = fault.sqlite_errorcode != sqlite3.SQLITE_FULL
            raise SpoolUnavailable("disk" if self._broken else "full") from fault
        assert seq is not None
        self.bytes += len(body)
        self.exports += 1
        self.oldest_ns = self.oldest_ns or arrived_ns
        return seq

    def oldest(self, spans_max: int, apart_ns_max: int) -> list[Spooled]:
        """The next to leave: at least one if there is any, of nearly one arrival time. Sets damaged rows aside."""
        if self._file is None:
            return []
        statement = "select seq, arrived_ns, spans, crc, body from exports where not damaged order by seq"
        found: list[Spooled] = []
        damaged: list[int] = []
        total = 0
        for seq, arrived_ns, spans, crc, body in self._file.execute(statement):
            if found and (total + spans > spans_max or abs(arrived_ns - found[0].arrived_ns) > apart_ns_max):
                break
            row = _read(seq, arrived_ns, crc, body)
            if row is None:
                damaged.append(seq)
                continue
            found.append(row)
            total += spans
        if damaged:
            self._set_aside(damaged)
        return found

    def drop(self, seqs: Sequence[int]) -> None:
        """They are in the ledger."""
        if self._file is None:
            return
        with self._file:
            for seq in seqs:
                found = self._file.execute("select length(body) from exports where seq = ?", (seq,)).fetchone()
                self._file.execute("delete from exports where seq = ?", (seq,))
                self.bytes -= found[0] if found else 0
                self.exports -= 1 if found else 0
        self._look_at_oldest()

    def compact(self) -> None:
        """Give room on the disk back; when there is nothing left to do."""
        if self._file is not None:
            self._file.executescript("pragma incremental_vacuum")  # execute() would stop after the first page
            self._file.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _set_aside(self, seqs: Sequence[int]) -> None:
        assert self._file is not None
        with self._file:
            self._file.executemany("update exports set damaged = 1 where seq = ?", [(seq,) for seq in seqs])
        self._recount()

    def _recount(self) -> None:
        assert self._file is not None
        waiting = "select count(*), coalesce(sum(length(body)), 0) from exports where not damaged"
        self.exports, self.bytes = self._file.execute(waiting).fetchone()
        (self.damaged,) = self._file.execute("select count(*) from exports where damaged").fetchone()
        self._look_at_oldest()

    def _look_at_oldest(self) -> None:
        assert self._file is not None
        oldest = self._file.execute("select arrived_ns from exports where not damaged order by seq limit 1").fetchone()
        self.oldest_ns = oldest[0] if oldest else 0

    def _adopt(self) -> None:
        """Bring in the rows of collectors that will not come back: a crash in between leaves them twice, never none."""
        assert self._file is not None
        for other in sorted(self._directory.glob("spool-[0-9]*.sqlite")):
            if other == self._path or ".unreadable-" in other.name:
                continue
            lock = _locked(other.with_suffix(".lock"))
            if lock < 0:
                continue
            try:
                left = _opened(other, self.bytes_max)
                rows = left.execute("select arrived_ns, spans, crc, damaged, body from exports order by seq").fetchall()
                with self._file:
                    statement = "insert into exports (arrived_ns, spans, crc, damaged, body) values (?, ?, ?, ?, ?)"
                    self._file.executemany(statement, rows)
                with left:
                    left.execute("delete from exports")
                left.close()
            finally:
                os.close(lock)


def _opened(path: Path, bytes_max: int) -> sqlite3.Connection:
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    file = sqlite3.connect(path, check_same_thread=False, timeout=5)
    file.execute(f"pragma page_size = {PAGE_BYTES}")
    file.execute("pragma auto_vacuum = incremental")
    file.execute("pragma journal_mode = wal").fetchall()
    file.execute("pragma synchronous = full")
    file.execute(f"pragma max_page_count = {bytes_max * 2 // PAGE_BYTES + 64}").fetchall()
    (version,) = file.execute("pragma user_version").fetchone()
    if version not in (0, FORMAT):
        raise sqlite3.DatabaseError(f"{path} is of format {version}, this collector reads {FORMAT}")
    with file:
        file.execute(_SCHEMA)
        file.execute(f"pragma user_version = {FORMAT}")
    return file


def _put_aside(path: Path) -> str:
    """Give a file that cannot be read another name, for people; returns that."""
    number = sum(1 for _ in path.parent.glob(f"{path.stem}.unreadable-*.sqlite")) + 1
    aside = path.with_name(f"{path.stem}.unreadable-{number}.sqlite")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside.name


def _locked(path: Path) -> int:
    """The descriptor of a lock that is ours until it is closed or this process ends, or -1: somebody else's."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return -1
    return lock


def _read(seq: int, arrived_ns: int, crc: int, body: bytes) -> Spooled | None:
    if crc32(body) != crc:
        return None
    try:
        records, rejected = _decode(body)
    except msgspec.DecodeError:
        return None
    return Spooled(seq, arrived_ns, records, rejected)

"""A bounded store on the local disk for exports that the ledger could not take in time.

What is put is on disk (SQLite, WAL, ``synchronous=FULL``) when ``put`` returns, and is read again in the order it came.
It holds normalized records and reasons, never prompts and never the bytes that were received. Every method blocks and
belongs to one thread. When exports go here and when they leave is ``spool_overflow``'s.

On a full disk nothing can be written, not even that a row has gone: then that is remembered here until there is room,
and a file of which every row has gone is put in place anew. A restart before that delivers them again.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import msgspec

from collector.spool_file import UNREADABLE, is_full, locked, opened, put_aside, remove, unless_full
from finops.spans import Rejected, SpanRecord

SLOTS_MAX = 64
"""Collectors that can share one directory, each with a file of its own."""


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
        self._waits_for_room = False
        """Open, but for a file on a disk that is full."""
        self._gone: list[int] = []
        """Rows that are in the ledger; the disk had no room for deleting them."""
        self._lock = -1
        self._path = directory
        self._file: sqlite3.Connection | None = None

    def open(self) -> None:
        """Take a slot and what dead collectors left in theirs. Raises ``OSError`` or ``sqlite3.Error``.

        A disk that has no room for a new file is no reason to fail: ``put`` tries again.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for slot in range(SLOTS_MAX):
            self._path = self._directory / f"spool-{slot}.sqlite"
            self._lock = locked(self._path.with_suffix(".lock"))
            if self._lock >= 0:
                break
        else:
            raise OSError(f"all {SLOTS_MAX} spools in {self._directory} are in use")
        try:
            self._open_file()
        except sqlite3.DatabaseError as fault:
            if getattr(fault, "sqlite_errorcode", 0) not in UNREADABLE:
                raise
            self.unreadable = put_aside(self._path)
            self._open_file()

    def _open_file(self) -> None:
        try:
            self._file = opened(self._path, self.bytes_max)
        except (sqlite3.Error, OSError) as fault:
            self._waits_for_room = is_full(fault)
            if not self._waits_for_room:
                raise
        else:
            self._waits_for_room = False
            self._adopt()
            self._recount()

    def _open_at_last(self) -> None:
        try:
            self._open_file()
        except (sqlite3.Error, OSError) as fault:
            self._broken = True
            raise SpoolUnavailable("disk") from fault

    def close(self) -> None:
        """Everything stays on disk. Harmless when it is closed."""
        self._waits_for_room = False
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def put(self, records: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> int:
        """On disk when this returns the row's number. Raises ``SpoolUnavailable``."""
        if self._waits_for_room:
            self._open_at_last()
        if self._file is None or self._broken:
            raise SpoolUnavailable("disk" if self._broken else "full" if self._waits_for_room else "closed")
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
            self._broken = not is_full(fault)
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
        statement = "select seq, arrived_ns, spans, crc, body from exports where not damaged and seq > ? order by seq"
        found: list[Spooled] = []
        damaged: list[int] = []
        total = 0
        for seq, arrived_ns, spans, crc, body in self._file.execute(statement, (self._gone_until,)):
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
        size_of = "select length(body) from exports where seq = ?"
        sizes = [found[0] for seq in seqs if (found := self._file.execute(size_of, (seq,)).fetchone())]
        self._gone += seqs
        with unless_full(), self._file:
            self._file.executemany("delete from exports where seq = ?", [(seq,) for seq in self._gone])
            self._file.commit()
            self._gone.clear()
        self.bytes -= sum(sizes)
        self.exports -= len(sizes)
        self._look_at_oldest()

    def compact(self) -> None:
        """Give room on the disk back; when there is nothing left to do."""
        if self._file is None:
            return
        if self._gone and not self.exports and not self.damaged:
            self._begin_anew(self._file)
            return
        with unless_full():
            self._file.executescript("pragma incremental_vacuum")  # execute() would stop after the first page
            self._file.execute("pragma wal_checkpoint(truncate)").fetchall()

    def _begin_anew(self, file: sqlite3.Connection) -> None:
        self._file = None
        file.close()
        remove(self._path)
        self._gone.clear()
        self._open_file()

    def _set_aside(self, seqs: Sequence[int]) -> None:
        assert self._file is not None
        with unless_full(), self._file:
            self._file.executemany("update exports set damaged = 1 where seq = ?", [(seq,) for seq in seqs])
            self._file.commit()
            self._recount()

    def _recount(self) -> None:
        assert self._file is not None
        waiting = "select count(*), coalesce(sum(length(body)), 0) from exports where not damaged and seq > ?"
        self.exports, self.bytes = self._file.execute(waiting, (self._gone_until,)).fetchone()
        (self.damaged,) = self._file.execute("select count(*) from exports where damaged").fetchone()
        self._look_at_oldest()

    @property
    def _gone_until(self) -> int:
        """Rows leave in order."""
        return max(self._gone, default=0)

    def _look_at_oldest(self) -> None:
        assert self._file is not None
        statement = "select arrived_ns from exports where not damaged and seq > ? order by seq limit 1"
        oldest = self._file.execute(statement, (self._gone_until,)).fetchone()
        self.oldest_ns = oldest[0] if oldest else 0

    def _adopt(self) -> None:
        """Bring in the rows of collectors that will not come back: a crash in between leaves them twice, never none.

        What there is no room for is left where it is, for a later start.
        """
        assert self._file is not None
        for other in sorted(self._directory.glob("spool-[0-9]*.sqlite")):
            if other == self._path or ".unreadable-" in other.name:
                continue
            lock = locked(other.with_suffix(".lock"))
            if lock < 0:
                continue
            try:
                with unless_full(), closing(opened(other, self.bytes_max)) as left:
                    asked = "select arrived_ns, spans, crc, damaged, body from exports order by seq"
                    rows = left.execute(asked).fetchall()
                    with self._file:
                        statement = "insert into exports (arrived_ns, spans, crc, damaged, body) values (?, ?, ?, ?, ?)"
                        self._file.executemany(statement, rows)
                    with left:
                        left.execute("delete from exports")
            finally:
                os.close(lock)


def _read(seq: int, arrived_ns: int, crc: int, body: bytes) -> Spooled | None:
    if crc32(body) != crc:
        return None
    try:
        records, rejected = _decode(body)
    except msgspec.DecodeError:
        return None
    return Spooled(seq, arrived_ns, records, rejected)

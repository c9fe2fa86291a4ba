"""The spool on the disk: what was put is there after kill -9, a torn tail and a full disk, in the order it came."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_disk import small_disk_at, use_up

from collector.spool import Spool, SpoolUnavailable
from finops.spans import Dimensions, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage

ROOT = Path(__file__).resolve().parents[2]
MEBI = 1024 * 1024
RICH = SpanRecord(
    tenant="acme",
    trace_id=bytes(range(16)),
    span_id=b"\xff" * 8,
    parent_id=b"",
    span_class=SpanClass.CALL,
    start_ns=2**62,
    end_ns=2**62 + 1,
    name="chat ✓",
    own=Dimensions(session="s"),
    provider="openai",
    response_id="chatcmpl-1",
    usage=TokenUsage(1000, 100, 400, 100, 50, 30, 20, 10, 5, 4, 3, 2),
    cache_hit="semantic",
    batch=True,
    reported_cost_pico_usd=17,
    flags=("inclusiveAssumed", "partialUsage"),
)
REFUSED = Rejected("bad_usage", "input_tokens is -5", b"\1" * 16, b"\2" * 8, "acme")


@pytest.fixture
def spool(tmp_path: Path):
    opened = Spool(tmp_path / "spool", 64 * MEBI)
    opened.open()
    yield opened
    opened.close()


def reopened(spool: Spool, tmp_path: Path) -> Spool:
    spool.close()
    again = Spool(tmp_path / "spool", 64 * MEBI)
    again.open()
    return again


def numbered(number: int) -> SpanRecord:
    return RICH._replace(span_id=number.to_bytes(8))


def fill(spool: Spool, spans: int = 20) -> int:
    """How many rows there was room for."""
    for put in range(10_000):
        try:
            spool.put([numbered(put * spans + at) for at in range(spans)], [], put)
        except SpoolUnavailable as fault:
            if fault.reason == "full":
                return put
            raise
    raise AssertionError("it is never full")


def test_what_was_put_comes_back_as_it_was(spool: Spool, tmp_path: Path) -> None:
    spool.put([RICH], [REFUSED], 17)
    again = reopened(spool, tmp_path)
    (row,) = again.oldest(100, 0)
    assert (row.records, row.rejected, row.arrived_ns) == ([RICH], [REFUSED], 17)
    assert type(row.records[0].span_class) is SpanClass
    again.close()


def test_it_leaves_in_the_order_it_came_and_only_once(spool: Spool) -> None:
    for number in range(10):
        spool.put([numbered(number)], [], number)
    assert [row.arrived_ns for row in spool.oldest(3, 100)] == [0, 1, 2]
    spool.drop([row.seq for row in spool.oldest(3, 100)])
    assert [row.arrived_ns for row in spool.oldest(100, 4)] == [3, 4, 5, 6, 7]
    spool.drop([row.seq for row in spool.oldest(100, 100)])
    assert (spool.exports, spool.bytes, spool.oldest_ns, spool.oldest(1, 1)) == (0, 0, 0, [])


def test_an_export_larger_than_a_group_leaves_alone(spool: Spool) -> None:
    spool.put([numbered(number) for number in range(9)], [], 1)
    assert len(spool.oldest(3, 0)[0].records) == 9


def test_a_bound_of_bytes_is_kept(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 64 * 1024)
    spool.open()
    fill(spool)
    assert 50_000 < spool.bytes <= 64 * 1024
    spool.drop([spool.oldest(1, 0)[0].seq])
    spool.put([RICH], [], 1)
    spool.close()


def test_the_file_gives_room_back(spool: Spool, tmp_path: Path) -> None:
    for number in range(300):
        spool.put([numbered(number + at) for at in range(50)], [], number)
    spool.drop([row.seq for row in spool.oldest(10**9, 10**9)])
    spool.compact()
    assert sum(path.stat().st_size for path in (tmp_path / "spool").iterdir()) < 200_000


def test_a_damaged_row_is_set_aside_and_its_neighbours_leave(spool: Spool, tmp_path: Path) -> None:
    for number in range(3):
        spool.put([numbered(number)], [], number)
    spool.close()
    file = sqlite3.connect(tmp_path / "spool" / "spool-0.sqlite")
    file.execute("update exports set body = zeroblob(length(body)) where seq = 2")
    file.commit()
    file.close()
    again = reopened(spool, tmp_path)
    assert [row.arrived_ns for row in again.oldest(100, 100)] == [0, 2]
    assert (again.damaged, again.exports) == (1, 2)
    again.close()


def test_a_file_that_is_no_database_is_put_aside(spool: Spool, tmp_path: Path) -> None:
    spool.close()
    (tmp_path / "spool" / "spool-0.sqlite").write_bytes(b"\xff" * 9000)
    again = reopened(spool, tmp_path)
    assert again.unreadable == "spool-0.unreadable-1.sqlite"
    again.put([RICH], [], 1)
    assert (again.exports, (tmp_path / "spool" / again.unreadable).stat().st_size) == (1, 9000)
    again.close()


def test_a_file_of_another_format_is_refused(spool: Spool, tmp_path: Path) -> None:
    spool.close()
    file = sqlite3.connect(tmp_path / "spool" / "spool-0.sqlite")
    file.execute("pragma user_version = 99")
    file.close()
    with pytest.raises(sqlite3.DatabaseError, match="format 99"):
        reopened(spool, tmp_path)


def test_two_collectors_share_a_directory_and_one_takes_over_what_the_other_left(tmp_path: Path) -> None:
    one, two = Spool(tmp_path, MEBI), Spool(tmp_path, MEBI)
    one.open()
    two.open()
    one.put([numbered(1)], [], 1)
    two.put([numbered(2)], [], 2)
    assert (one.exports, two.exports) == (1, 1)
    two.close()
    one.close()
    one.open()
    assert [row.arrived_ns for row in one.oldest(9, 9)] == [1, 2]
    one.close()


WRITER = """
import sys
from pathlib import Path
from collector.spool import Spool
from integration.test_spool_store import numbered
spool = Spool(Path(sys.argv[1]), 1 << 28)
spool.open()
for number in range(1, 1 << 30):
    spool.put([numbered(number)], [], number)
    print(number, flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("kill", range(3))
def test_kill_9_and_a_torn_tail_lose_nothing_that_was_put(tmp_path: Path, kill: int) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    chance = random.Random(seed)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(chance.randint(20, 400)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        *_, last = ["0", *process.stdout.read().split()]
    with (tmp_path / "spool-0.sqlite-wal").open("ab") as log:
        log.write(chance.randbytes(chance.randint(1, 20_000)))
    spool = Spool(tmp_path, 1 << 28)
    spool.open()
    kept = [row.arrived_ns for row in spool.oldest(10**9, 10**9)]
    spool.close()
    assert kept == list(range(1, len(kept) + 1))
    assert len(kept) >= int(last)
    assert spool.damaged == 0


FULL_DISK = """
import resource, sys
from pathlib import Path
from collector.spool import Spool, SpoolUnavailable
from integration.test_spool_store import numbered
spool = Spool(Path(sys.argv[1]), 1 << 28)
spool.open()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
put = 0
try:
    while True:
        spool.put([numbered(put * 20 + at) for at in range(20)], [], put)
        put += 1
except SpoolUnavailable as fault:
    print(put, fault.reason)
"""


def test_a_disk_that_takes_no_more_is_said_and_what_was_put_stays(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests")))}
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path), "300000"]
    said = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    put, reason = said.stdout.split()
    assert reason in ("full", "disk")
    spool = Spool(tmp_path, 1 << 28)
    spool.open()
    assert len(spool.oldest(10**9, 10**9)) == int(put) > 5
    spool.put([RICH], [], 1)
    spool.close()


def test_a_full_file_system_is_full(tmp_path: Path) -> None:
    """SQLite's own word for it is the same for a page limit and for ENOSPC."""
    spool = Spool(tmp_path, MEBI)
    spool.open()
    assert spool._file is not None
    spool._file.execute("pragma max_page_count = 20").fetchall()
    put = fill(spool)
    assert len(spool.oldest(10**9, 10**9)) == put > 3
    spool.drop([row.seq for row in spool.oldest(10**9, 10**9)])
    spool.put([RICH], [], 1)
    spool.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a megabyte."""
    with small_disk_at(tmp_path / "disk", MEBI) as disk:
        yield disk


@pytest.mark.parametrize("spans", [1, 20, 500])
def test_on_a_disk_without_room_for_another_byte_it_drains_and_begins_anew(small_disk: Path, spans: int) -> None:
    spool = Spool(small_disk / "spool", 64 * MEBI)
    spool.open()
    put = fill(spool, spans)
    assert put > 3
    gone = []
    while rows := spool.oldest(4 * spans, 10**9):
        spool.drop([row.seq for row in rows])
        gone += [row.arrived_ns for row in rows]
        assert spool.exports == put - len(gone)
    assert gone == list(range(put))
    assert (spool.bytes, spool.oldest_ns) == (0, 0)
    spool.compact()
    spool.put([RICH], [], 1)
    assert [row.records for row in spool.oldest(1, 1)] == [[RICH]]
    spool.close()


def test_what_could_not_be_deleted_is_delivered_again_after_a_restart_and_deleted_when_there_is_room(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(100_000))
    spool = Spool(small_disk / "spool", 64 * MEBI)
    spool.open()
    put = fill(spool, 20)
    spool.drop([row.seq for row in spool.oldest(40, 10**9)])
    assert spool.exports == put - 2
    spool.close()
    again = Spool(small_disk / "spool", 64 * MEBI)
    again.open()
    assert again.exports == put
    ballast.unlink()
    again.drop([row.seq for row in again.oldest(40, 10**9)])
    again.close()
    again.open()
    assert again.exports == put - 2
    again.close()


@pytest.mark.parametrize("left", [0, 20])
def test_a_full_disk_is_no_reason_not_to_start(small_disk: Path, left: int) -> None:
    if left:
        earlier = Spool(small_disk / "spool", 64 * MEBI)
        earlier.open()
        for number in range(left):
            earlier.put([numbered(number)], [], number)
        use_up(small_disk)
        earlier.close()
    ballast = use_up(small_disk)
    spool = Spool(small_disk / "spool", 64 * MEBI)
    spool.open()
    assert spool.exports == left
    put = fill(spool)
    ballast.unlink()
    spool.put([RICH], [], 1)
    assert spool.exports == left + put + 1
    spool.close()

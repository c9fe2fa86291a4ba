"""Exports, measured as a reader sees them: rows a second, and the memory of the query API that streams them.

    python -m benchmarks.exports [--rows 1000000]

Fills a fresh ledger on the embedded PostgreSQL with ``--rows`` calls (some appended, the rest copies of them), starts
``python -m query_api`` as a process of its own, and reads ``costs.csv`` and ``focus.csv`` over HTTP while it looks at
that process's memory. Every row must arrive and costs must add up to the ledger's; otherwise it exits with 1.
"""

import argparse
import asyncio
import csv
import http.client
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from subprocess import PIPE, Popen

from benchmarks.repricing import filled
from finops.access import Scope
from ledger.migrate import migrate
from ledger.pool import Pool, pool
from ledger.rates import RateStore
from ledger.tokens import register
from standalone.postgres import EmbeddedPostgres

TOKEN = "finops_benchmark"
APPENDED = 10_000
WINDOW = "2026-10-01T00:00:00Z,2026-12-01T00:00:00Z"
MEASURED = (
    "costs.csv?window=",
    "focus.csv?grain=agentDay&window=",
    "focus.csv?grain=call&orgId=org-1&window=",
    "costs.csv?format=parquet&window=",
    "focus.csv?format=parquet&grain=call&orgId=org-1&window=",
)
"""Those of one organisation are a fifth of the ledger, in three rows a call."""
_COLUMNS = """
select string_agg(column_name, ', ' order by ordinal_position)
from information_schema.columns where table_schema = 'public' and table_name = 'entries'
"""


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description="Measure exports.")
    parser.add_argument("--rows", type=int, default=1_000_000, help="entries in the ledger (default: 1,000,000)")
    parser.add_argument("--only", default="", help="exports whose path holds this")
    asked = parser.parse_args()
    rows, paths = asked.rows, [path for path in MEASURED if asked.only in path]
    with tempfile.TemporaryDirectory() as directory, EmbeddedPostgres() as postgres:
        url = postgres.start(Path(directory), disposable=True)
        total = asyncio.run(prepared(url, rows))
        return measured(url, total, max(rows, APPENDED), paths)


async def prepared(url: str, rows: int) -> Decimal:
    """Fills the ledger; returns what everything costs, in USD."""
    await migrate(url)
    connections = pool(url, size_max=2, name="bench", statement_timeout_ms=900_000)
    await connections.open(wait=True)
    try:
        await filled(connections, RateStore(), APPENDED)
        return await multiplied(connections, rows // APPENDED)
    finally:
        await connections.close()


async def multiplied(connections: Pool, times: int) -> Decimal:
    """Each entry so many times, under further revisions."""
    async with connections.connection() as connection:
        row = await (await connection.execute(_COLUMNS)).fetchone()
        assert row is not None
        named = str(row[0])
        taken = ", ".join("n" if name == "revision" else name for name in named.split(", "))
        copies = f"insert into entries ({named}) select {taken} from entries, generate_series(2, {times}) n"  # noqa: S608
        await connection.execute(copies.encode())
        await register(connection, name="bench", secret=TOKEN, scopes=[Scope.READ])
        await connection.execute("analyze entries")
        row = await (await connection.execute("select sum(cost_pico) from entries")).fetchone()
        assert row is not None
    return Decimal(str(row[0])).scaleb(-12)


def measured(url: str, total: Decimal, rows: int, paths: Sequence[str]) -> int:
    """Reads every export; returns the exit status."""
    environment = {
        **os.environ,
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": url,
        "FINOPS_API": "127.0.0.1:0",
        "FINOPS_COLLECTOR_URL": "off",
    }
    with Popen([sys.executable, "-m", "query_api"], env=environment, stdout=PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            address = process.stdout.readline().split("://")[1].strip()
            sound = [read(address, path, process.pid, total, rows) for path in paths]
        finally:
            process.terminate()
    return 0 if all(sound) else 1


def read(address: str, path: str, pid: int, total: Decimal, rows: int) -> bool:
    """One export, told; False where something is missing."""
    connection = http.client.HTTPConnection(address, timeout=120)
    before, begun = resident_mib(pid), time.perf_counter()
    wanted = f"/api/v1/finops/exports/{path}{WINDOW}"
    with watched(pid) as marks:
        connection.request("GET", wanted, headers={"Authorization": f"Bearer {TOKEN}"})
        content = list(pieces(connection.getresponse()))
    size = sum(map(len, content))
    seconds = time.perf_counter() - begun
    told, cost = (added if "parquet" in path else summed)(b"".join(content))
    print(
        f"{path.removesuffix('window=').rstrip('?&')}: {told} rows, {size / 1e6:.0f} MB in {seconds:.1f} s, "
        f"{told / seconds:.0f} rows/s, RSS of the query API {before:.0f} MiB before, at most {max(marks):.0f} MiB",
        flush=True,
    )
    if ("orgId" not in path and cost != total) or (path.startswith("costs") and told != rows):
        print(f"WRONG: {cost} USD in {told} rows, not {total} in {rows}")
        return False
    return True


@contextmanager
def watched(pid: int) -> Iterator[list[float]]:
    """The memory of a process, looked at all the time."""
    marks, over = [resident_mib(pid)], threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            marks.append(resident_mib(pid))

    looking = threading.Thread(target=look)
    looking.start()
    yield marks
    over.set()
    looking.join()


def pieces(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The body as it comes."""
    while piece := answer.read(1 << 20):
        yield piece


def summed(content: bytes) -> tuple[int, Decimal]:
    """Rows, and the sum of their costs."""
    table = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""))
    names = next(table)
    at = names.index("costUsd" if "costUsd" in names else "BilledCost")
    rows, cost = 0, Decimal(0)
    for row in table:
        rows += 1
        cost += Decimal(row[at] or 0)
    return rows, cost


def added(content: bytes) -> tuple[int, Decimal]:
    """The same of a Parquet file, which only this process reads."""
    import pyarrow.parquet as pq

    file, cost = pq.ParquetFile(io.BytesIO(content)), Decimal(0)
    name = "costUsd" if "costUsd" in file.schema_arrow.names else "BilledCost"
    for group in range(file.num_row_groups):
        cost += sum(value for value in file.read_row_group(group, [name])[name].to_pylist() if value is not None)
    return file.metadata.num_rows, cost


def resident_mib(pid: int) -> float:
    """Resident memory of a process now."""
    found = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    return found * 4096 / 2**20


if __name__ == "__main__":
    sys.exit(main())

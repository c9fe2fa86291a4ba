"""A peer, or this service, as a group of processes: started, found ready, weighed, stopped or killed."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg

from benchmarks.ingest import children_seconds, database
from benchmarks.peers.described import Door, Peer
from benchmarks.peers.stores import PostgresStore, SqliteStore, Store

READY_S = 120
OURS = "agent-finops"
OUR_SPANS = "select encode(span_id, 'hex') from entries where calls > 0"
OUR_TOTALS = (
    "select encode(trace_id, 'hex'), sum(input_tokens), sum(output_tokens), sum(cached_input_tokens), "
    "sum(cache_write_tokens), sum(cost_pico) / 1e12 from entries where calls <> 0 group by 1"
)


class Running:
    """One of them."""

    def __init__(
        self, name: str, door: Door, port: int, headers: dict[str, str], process: subprocess.Popen[str], store: Store
    ) -> None:
        self.name, self.door, self.port, self.headers = name, door, port, headers
        self.process, self.store = process, store
        self.server: int | None = None
        """Process id of the PostgreSQL that it writes to."""

    def _tree(self) -> list[psutil.Process]:
        with suppress(psutil.NoSuchProcess):
            root = psutil.Process(self.process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def used_seconds(self) -> tuple[float, float]:
        """Processor time so far of its own processes, and of its database server (0 where it has none)."""
        own = 0.0
        for process in self._tree():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                own += times.user + times.system
        return own, children_seconds(self.server) if self.server is not None else 0.0

    def peak_mib(self) -> float:
        """Peak resident memory, summed over its own processes; pages that they share count more than once."""
        peak = 0.0
        for process in self._tree():
            with suppress(psutil.NoSuchProcess, OSError):
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                peak += next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)
        return peak

    def stop(self) -> None:
        """As an operator would; killed after a while."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(30)
        self.kill()

    def kill(self) -> None:
        """All of its processes at once, not its database server."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def peer_running(peer: Peer, bin_: Path, folder: Path, superuser_url: str, server: int | None) -> Iterator[Running]:
    """Started in an empty folder, with a home of its own."""
    with _database(peer, superuser_url) as url:
        words = {"bin": str(bin_), "folder": str(folder), "http": str(free_port()), "grpc": str(free_port())}
        words["database"] = url
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "FINOPS_", "PHOENIX_", "MLFLOW_"))}
        said = {name: value.format_map(words) for name, value in peer.environment.items()}
        environment = {**kept, **said, "HOME": str(folder), "PATH": f"{bin_}:{os.environ['PATH']}"}
        log = folder / "peer.log"
        with log.open("wb") as out:
            process: subprocess.Popen[str] = subprocess.Popen(
                [word.format_map(words) for word in peer.command],
                cwd=folder,
                env=environment,
                stdout=out,
                stderr=out,
                text=True,
                start_new_session=True,
            )
        store = _store(peer, folder, url)
        port = int(words["grpc" if peer.door == "grpc" else "http"])
        running = Running(peer.name, peer.door, port, dict(peer.headers), process, store)
        running.server = server if peer.kept == "postgres" else None
        try:
            _wait_ready(running, int(words["http"]), log)
            yield running
        finally:
            running.kill()


@contextmanager
def ours_running(superuser_url: str, server: int | None, home: Path) -> Iterator[Running]:
    """The collector of ``home`` over a database of its own."""
    with database(superuser_url) as url:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_", "OTEL_"))}
        ports = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
        process = subprocess.Popen(
            [sys.executable, "-m", "collector"],
            cwd=home,
            env={**kept, **ports, "FINOPS_ALLOW_SUPERUSER": "1", "FINOPS_DATABASE_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        assert process.stdout is not None
        at = dict(part.split("=", 1) for part in process.stdout.readline().split()[2:])
        running = Running(OURS, "grpc", int(at["grpc"].rpartition(":")[2]), {}, process, PostgresStore(url))
        running.server = server
        try:
            yield running
        finally:
            running.kill()


@contextmanager
def _database(peer: Peer, superuser_url: str) -> Iterator[str]:
    if peer.kept != "postgres":
        yield ""
        return
    name = f"peer_{secrets.token_hex(4)}"
    with psycopg.connect(superuser_url, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    try:
        yield urlunsplit(urlsplit(superuser_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(superuser_url, autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


def _store(peer: Peer, folder: Path, url: str) -> Store:
    if peer.kept == "postgres":
        return PostgresStore(url)
    return SqliteStore(folder / peer.file)


def _wait_ready(running: Running, http: int, log: Path) -> None:
    """Until its page answers, whatever it answers."""
    until = time.monotonic() + READY_S
    while time.monotonic() < until:
        if running.process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{http}/", timeout=5).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{running.name} did not start: {log.read_text('utf-8', 'replace')[-600:]}")

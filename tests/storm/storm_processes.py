"""The processes of a storm: a PostgreSQL, collectors, query APIs and bad networks that can be killed and come back."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from finops.access import Scope
from ledger.tokens import register
from standalone.database import bring_up_to_date, in_ledger
from standalone.postgres import EmbeddedPostgres

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
POSTGRES = {"shared_buffers": "64MB", "max_connections": "60", "wal_writer_delay": "10s"}
"""A lazy WAL writer, so that a commit that did not wait for the disk is lost by a crash and not by chance only."""
READY_SECONDS = 60.0


class Server:
    """A PostgreSQL that can be killed and comes back on the same port."""

    def __init__(self, directory: Path, settings: Mapping[str, str] = POSTGRES) -> None:
        self._directory = directory
        self._settings = settings
        self._postgres = EmbeddedPostgres()
        self._postgres.start(directory, settings=settings)
        self.port = self._postgres.port
        self._databases = 0

    def database(self) -> str:
        """A fresh, migrated database."""
        url = self.empty_database()
        bring_up_to_date(url, lambda text: None)
        return url

    def empty_database(self) -> str:
        """A database without any schema, owned by the role of the services."""
        self._databases += 1
        name = f"storm_{self._databases}"
        with psycopg.connect(self._postgres.superuser_url, autocommit=True) as connection:
            connection.execute(f"create database {name} owner finops")
        return self._postgres.url.rpartition("/")[0] + f"/{name}"

    def crash(self, down_seconds: float) -> None:
        """Stops without a checkpoint, as a crash would, and recovers after a while."""
        with self.away():
            time.sleep(down_seconds)  # an outage is a length of time

    @contextmanager
    def away(self) -> Iterator[None]:
        """Stopped without a checkpoint; recovers afterwards."""
        self._postgres.kill()
        try:
            yield
        finally:
            self.revive()

    def revive(self) -> bool:
        """Whether it had to be started, as a supervisor would, because it does not run."""
        gone = self._postgres.pid is None or self._postgres.died()
        if gone:
            self._postgres.stop()
            self._postgres.start(self._directory, self.port, settings=self._settings)
        return gone

    def deadlocks(self) -> int:
        """In its life, by its log: what the server counts itself is gone after a crash."""
        return (self._directory / "logs" / "postgres.log").read_text(errors="replace").count("deadlock detected")

    def resident_mib(self) -> float:
        """Memory that the server's processes have to themselves, all together."""
        return sum(map(private_mib, self.pids()))

    def pids(self) -> list[int]:
        """Of all its processes."""
        assert self._postgres.pid is not None
        return [self._postgres.pid, *children(self._postgres.pid)]

    def stop(self) -> None:
        """For good."""
        self._postgres.stop()


@contextmanager
def enterable() -> Iterator[Path]:
    """A directory that the account of the server can enter."""
    with tempfile.TemporaryDirectory(prefix="agent-finops-storm-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def server() -> Iterator[Server]:
    """In a directory of its own."""
    with enterable() as directory:
        running = Server(directory)
        try:
            yield running
        finally:
            running.stop()


def children(pid: int) -> list[int]:
    """Processes that it has started and that live, and theirs."""
    try:
        own = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return own + [grandchild for child in own for grandchild in children(child)]


def _kib(pid: int, name: str) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)


def private_mib(pid: int) -> float:
    """Memory that is no file's and shared with nobody; 0 where the process is gone."""
    return _kib(pid, "RssAnon:") / 1024


def resident_mib(pid: int) -> float:
    """All memory of a process and of those it has started."""
    return sum(_kib(each, "VmRSS:") for each in (pid, *children(pid))) / 1024


def proportional_mib(pid: int) -> float:
    """The same, with what several processes share divided among them."""
    whole = 0.0
    for each in (pid, *children(pid)):
        with suppress(OSError):
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
            whole += next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)
    return whole / 1024


def open_files(pid: int) -> int:
    """Descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/fd"))


class Collector:
    """One collector process that can be killed and comes back on the same port."""

    def __init__(self, environment: dict[str, str], command: Sequence[str], log: Path, root: Path = ROOT) -> None:
        self.environment = environment
        self._command = [sys.executable, *command]
        self._log = log
        self._root = root
        self._process: subprocess.Popen[str] | None = None
        self.address = ""
        self.http = ""
        self.metrics = ""

    def start(self) -> None:
        """Returns when it accepts."""
        self.begin()
        self.wait()

    def begin(self) -> None:
        """Starts the process."""
        environment = self.environment
        if self.address:
            environment = {**environment, "FINOPS_OTLP_GRPC": self.address}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self._root, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def wait(self) -> None:
        """Returns when the process that was begun accepts."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline().split()
        assert line[:2] == ["ready", "collector"], self._log.read_text()[-2000:]
        at = dict(part.split("=", 1) for part in line[2:])
        self.address, self.http, self.metrics = at["grpc"], at["http"], at["metrics"]

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def spooled(self) -> int:
        """Exports that wait in its spool."""
        return int(self.spool_state().get("exports", 0))

    def spool_state(self) -> dict[str, Any]:
        """What its health page says of the spool; empty where there is none."""
        return self.health()["spool"] or {}

    def health(self) -> dict[str, Any]:
        """What its health page says."""
        page: dict[str, Any] = httpx2.get(f"http://{self.metrics}/health/ready", timeout=10).json()
        return page

    def end(self, word: signal.Signals) -> int:
        """The exit status after ``word``."""
        process = self._process
        assert process is not None
        process.send_signal(word)
        status = process.wait(READY_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
        self._process = None
        return status

    def stop(self) -> None:
        """For good; harmless when it has ended."""
        if self._process is not None:
            self.end(signal.SIGKILL)


class QueryApi:
    """One query API process with an administrator's token; it is the judge, too."""

    TOKEN = "fst_storm"

    def __init__(self, database_url: str, log: Path, **settings: str) -> None:
        in_ledger(database_url, _register)
        own = {"FINOPS_API": "127.0.0.1:0", "FINOPS_COLLECTOR_URL": "off", **settings}
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "query_api"],
            cwd=ROOT,
            env={**environment_of(database_url, {}), **own},
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        assert words[:2] == ["ready", "query_api"], log.read_text()[-2000:]
        self.pid = self._process.pid
        self.client = httpx2.Client(
            base_url=f"{words[2]}/api/v1/finops", headers={"Authorization": f"Bearer {self.TOKEN}"}, timeout=30
        )

    def stop(self) -> None:
        """For good."""
        self.client.close()
        self._process.terminate()
        self._process.communicate(timeout=READY_SECONDS)
        self._log.close()


async def _register(connection: psycopg.AsyncConnection) -> None:
    await register(connection, name="storm", secret=QueryApi.TOKEN, scopes=[Scope.ADMIN])


def environment_of(database_url: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a collector on ports that the system chooses."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FINOPS_", "OTEL_"))}
    ports = dict.fromkeys(("FINOPS_OTLP_GRPC", "FINOPS_OTLP_HTTP", "FINOPS_METRICS"), "127.0.0.1:0")
    return {
        **kept,
        **ports,
        **settings,
        "FINOPS_ALLOW_SUPERUSER": "1",
        "FINOPS_DATABASE_URL": database_url,
        "PYTHONPATH": str(ROOT),
    }


class Network:
    """A bad network in front of ``target`` (host:port)."""

    def __init__(self, target: str, seed: int) -> None:
        command = [sys.executable, str(HERE / "storm_network.py"), json.dumps({"target": target, "seed": seed})]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()

    def stop(self) -> Counter[str]:
        """How often it did what."""
        said, _ = self._process.communicate(timeout=20)
        return Counter(json.loads(said))

"""The embedded PostgreSQL: one server for one data directory, started and stopped with this process.

What is where, in the data directory:

* `postgres/` the cluster (UTF-8, data checksums), mode 0700;
* `postgres.json` (mode 0600) the port, the passwords, and where the cluster is;
* `postgres.lock` held while a supervisor lives, so that two never share a data directory;
* `logs/postgres.log` what the server says.

The server listens on 127.0.0.1 only, on a port chosen once (psql and Grafana can keep it), with SCRAM passwords and no
socket file. Services connect as the role `finops`, which owns the database `finops` and nothing else; the superuser
`postgres` is for maintenance.

As root, the server runs as another account (`standalone.accounts`). If that account cannot enter the data directory,
say below /root, the cluster is kept in /var/lib/agent-finops/<hash of the data directory's path>/postgres instead and
`postgres.json` points to it; programs it cannot read are copied beside the cluster. No permission of a directory that
was there before is ever changed. A cluster whose `postgres.json` is lost is found again, and gets new passwords.

If this process is killed, the server shuts down cleanly by itself (Linux); anywhere else the next start finds the
server left behind and stops it first. Recovery after a crash has no time limit: it is reported and waited for.
"""

import errno
import hmac
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from standalone.accounts import unprivileged_account
from standalone.failures import CannotStart
from standalone.postgres_binaries import find_binaries
from standalone.postgres_home import (
    Home,
    HomeUnusable,
    State,
    is_supervised,
    make_directory,
    open_home,
    owner_of,
    place_cluster,
    place_disposable_cluster,
    read_state,
)
from standalone.postgres_server import Launch, PortTaken, shut_down, stop_leftover
from standalone.postgres_setup import DATABASE, ROLE, SUPERUSER, ClusterSetup

PORTS_TRIED = 50
"""How many ports, from the preferred one on, are tried before the start fails."""
_DURABILITY = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}


class PortBusy(CannotStart):
    """The configured port is taken by another process."""


class EmbeddedPostgres:
    """A supervisor of one server: `start`, use `url`, `stop`; leaving it as a context manager stops it too.

    Start it from the main thread: Linux ties the server's life to the thread that started it.
    """

    def __init__(
        self, environment: Mapping[str, str] = os.environ, say: Callable[[str], None] = lambda text: None
    ) -> None:
        self._environment = environment
        self._say = say
        self._home: Home | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._state: State | None = None
        self._disposed: Path | None = None

    def start(
        self,
        data_dir: Path | str,
        port: int | None = None,
        *,
        settings: Mapping[str, str] | None = None,
        disposable: bool = False,
    ) -> str:
        """Start, on first use create, the server of `data_dir`; returns the URL of its database once it accepts.

        `port` fixes the port, otherwise one is chosen on the first start and kept. `settings` go to the server as
        `-c` options. Only a `disposable` server (a test's) may be told not to reach the disk; if it had to be kept
        outside the data directory, `stop` removes it. Raises CannotStart.
        """
        if self._process is not None:
            raise CannotStart("this server is running already")
        options = _options(settings or {}, disposable)
        self._home = open_home(Path(data_dir))
        try:
            self._state = self._start(self._home, port, options, disposable)
        except BaseException:
            self.stop()
            raise
        return self.url

    @property
    def url(self) -> str:
        """Where services connect: the role and the database `finops`, password included."""
        return _services_url(self._started)

    def role_url(self, role: str) -> str:
        """Where a service of this role connects, once `role_passwords` are set."""
        return _address(role, self.role_passwords((role,))[role], self._started.port, DATABASE)

    def role_passwords(self, roles: Iterable[str]) -> dict[str, str]:
        """A password for each role, always the same while the superuser's is; none needs to be kept."""
        key = self._started.superuser_password.encode()
        return {role: hmac.digest(key, role.encode(), "sha256").hex() for role in roles}

    @property
    def superuser_url(self) -> str:
        """Where maintenance connects: the superuser, in the database `postgres`."""
        return _address(SUPERUSER, self._started.superuser_password, self._started.port, "postgres")

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 the server listens on."""
        return self._started.port

    @property
    def pid(self) -> int | None:
        """The server's process id, None while none runs."""
        return self._process.pid if self._process else None

    def died(self) -> bool:
        """Whether the server that was started is gone without having been asked to."""
        return self._process is not None and self._process.poll() is not None

    def stop(self) -> None:
        """Shut down cleanly and wait for it; harmless when nothing runs."""
        try:
            if self._process is not None:
                shut_down(self._process, self._say)
        finally:
            self._process = self._state = None
            if self._disposed is not None:
                shutil.rmtree(self._disposed)
                self._disposed = None
                if self._home is not None:
                    self._home.forget()
            if self._home is not None:
                self._home.release()
                self._home = None

    def kill(self) -> None:
        """Drop the server at once, without its shutdown checkpoint: committed work is recovered at the next start."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _started(self) -> State:
        if self._state is None:
            raise CannotStart("this server is not running")
        return self._state

    def _start(self, home: Home, port: int | None, options: dict[str, str], disposable: bool) -> State:
        remembered = home.state()
        account = unprivileged_account(self._environment)
        if remembered:
            cluster = home.directory / remembered.cluster
        elif disposable:
            cluster = place_disposable_cluster(home, account)
            self._disposed = None if cluster.parent == home.directory else cluster.parent
        else:
            cluster = place_cluster(home, account, self._say)
        if cluster.is_dir():
            account = owner_of(cluster)
        elif remembered:
            raise HomeUnusable(f"the database of {home.directory} is gone: there is no {cluster}")
        binaries = find_binaries(self._environment, account, cluster.parent, self._say)
        stop_leftover(cluster, self._say)
        setup = ClusterSetup(cluster=cluster, binaries=binaries, account=account, durable=not disposable, say=self._say)
        state = _set_up(home, setup, remembered)
        log = home.directory / "logs" / "postgres.log"
        make_directory(log.parent, 0o700)
        launch = Launch(cluster=cluster, binaries=binaries, account=account, options=options, log=log, say=self._say)
        return home.moved_to(state, self._launch(launch, state.port, port))

    def _launch(self, launch: Launch, preferred: int, fixed: int | None) -> int:
        """Run the server on the port fixed by its operator, or on the first free one from the preferred on."""
        for candidate in (fixed,) if fixed else range(preferred, preferred + PORTS_TRIED):
            if not _is_free(candidate):
                continue
            if not fixed and candidate != preferred:
                self._say(f"port {preferred} is taken by another process: PostgreSQL uses {candidate}")
            try:
                self._process = launch.run(candidate)
            except PortTaken:
                continue
            return candidate
        if fixed:
            raise PortBusy(f"port {fixed} of 127.0.0.1 is taken by another process: give PostgreSQL another one")
        raise PortBusy(f"PostgreSQL found no free port in {preferred}..{preferred + PORTS_TRIED - 1}")


def running_url(data_dir: Path) -> str | None:
    """The URL of the server that another process supervises in this data directory; None where none does.

    Raises CannotStart where this user may not know it.
    """
    state = read_state(data_dir) if is_supervised(data_dir) else None
    return _services_url(state) if state else None


def _services_url(state: State) -> str:
    return _address(ROLE, state.password, state.port, DATABASE)


def _address(role: str, password: str, port: int, database: str) -> str:
    return f"postgresql://{role}:{password}@127.0.0.1:{port}/{database}"


def _set_up(home: Home, setup: ClusterSetup, remembered: State | None) -> State:
    """The state of a cluster that is there when this returns; only with the passwords is the making complete."""
    if setup.cluster.is_dir():
        setup.check_version()
        if remembered is not None:
            return remembered
    state = home.new_state(setup.cluster)
    if setup.cluster.is_dir():
        setup.give_new_passwords(state)
    else:
        setup.create(state)
    home.remember(state)
    return state


def _options(settings: Mapping[str, str], disposable: bool) -> dict[str, str]:
    weakened = sorted(name for name, value in _DURABILITY.items() if settings.get(name, value) != value)
    if weakened and not disposable:
        raise CannotStart(f"a ledger does not run with {', '.join(weakened)} turned off")
    bound = {"listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    return {"timezone": "UTC", "log_timezone": "UTC", **_DURABILITY, **settings, **bound}


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as fault:
            if fault.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
        return True

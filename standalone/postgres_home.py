"""Where the embedded PostgreSQL keeps its cluster, port, passwords and lock. See `standalone.postgres`."""

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO

from standalone.accounts import Account, account_of, can_enter
from standalone.failures import CannotStart

_STATE_FILE = "postgres.json"
_LOCK_FILE = "postgres.lock"
_CLUSTER = "postgres"
PLACES_FOR_ROOT = (Path("/var/lib/agent-finops"), Path("/var/tmp/agent-finops"))
"""Where clusters of root's closed data directories go, first choice first; both survive a reboot."""


class HomeUnusable(CannotStart):
    """The data directory cannot serve: another process has it, or another user; the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered from start to start, in `postgres.json` (mode 0600)."""

    cluster: str
    """Relative to the data directory, or absolute where the cluster had to go elsewhere."""
    port: int
    password: str
    superuser_password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One data directory, locked for this process until `release`."""

    directory: Path
    lock: IO[str]

    def release(self) -> None:
        self.lock.close()

    def state(self) -> State | None:
        """What was remembered, None on a first start. Raises HomeUnusable where it cannot be read."""
        return read_state(self.directory)

    def remember(self, state: State) -> None:
        """Write the state so that a crash leaves the old one or the new one, readable by its owner only."""
        write_private(self.directory / _STATE_FILE, json.dumps(asdict(state), indent=1) + "\n")

    def forget(self) -> None:
        """Remove the state of a cluster that is no more."""
        (self.directory / _STATE_FILE).unlink(missing_ok=True)

    def new_state(self, cluster: Path) -> State:
        inside = cluster.is_relative_to(self.directory)
        return State(
            cluster=str(cluster.relative_to(self.directory) if inside else cluster),
            port=preferred_port(self.directory),
            password=secrets.token_urlsafe(32),
            superuser_password=secrets.token_urlsafe(32),
        )

    def moved_to(self, state: State, port: int) -> State:
        moved = replace(state, port=port)
        if moved != state:
            self.remember(moved)
        return moved


def read_state(directory: Path) -> State | None:
    """What a data directory remembers of its server, None where none was made. Raises HomeUnusable."""
    path = directory / _STATE_FILE
    try:
        return State(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except PermissionError as fault:
        raise HomeUnusable(f"{path} belongs to another user: run as that user or choose another --data-dir") from fault
    except (ValueError, TypeError) as fault:
        raise HomeUnusable(f"{path} is damaged: move it away, and the database gets new passwords") from fault


def is_supervised(directory: Path) -> bool:
    """Whether a live process holds the data directory."""
    try:
        with open(directory / _LOCK_FILE, encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def open_home(directory: Path) -> Home:
    """Make the directory where it is missing and lock it. Raises HomeUnusable."""
    directory = directory.absolute()
    try:
        make_directory(directory, 0o711 if os.geteuid() == 0 else 0o700)
        lock = open(directory / _LOCK_FILE, "a+", encoding="utf-8")  # noqa: SIM115 - held until release
    except OSError as fault:
        raise HomeUnusable(f"cannot use the data directory {directory}: {fault.strerror}") from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise HomeUnusable(f"the data directory {directory} is in use by process {holder}") from fault
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return Home(directory=directory.resolve(), lock=lock)


def place_cluster(home: Home, account: Account | None, say: Callable[[str], None]) -> Path:
    """Where a cluster that is not remembered is, or goes: in the data directory if the account can get there."""
    inside = home.directory / _CLUSTER
    if account is None or can_enter(account, home.directory):
        return inside
    name = hashlib.sha256(str(home.directory).encode()).hexdigest()[:16]
    for place in PLACES_FOR_ROOT:
        try:
            make_directory(place, 0o755)
            make_directory(place / name, 0o711)
        except OSError:
            continue
        if place.stat().st_uid == 0 and can_enter(account, place / name):
            say(f"{account.name} cannot enter {home.directory}: the database is kept in {place / name / _CLUSTER}")
            return place / name / _CLUSTER
    places = " or ".join(map(str, PLACES_FOR_ROOT))
    raise HomeUnusable(
        f"{account.name} cannot enter {home.directory}, nor could {places} be made: choose another --data-dir"
    )


def place_disposable_cluster(home: Home, account: Account | None) -> Path:
    """As `place_cluster`, for a cluster nobody keeps: a closed data directory's goes to a temporary directory."""
    if account is None or can_enter(account, home.directory):
        return home.directory / _CLUSTER
    place = Path(tempfile.mkdtemp(prefix="agent-finops-"))
    place.chmod(0o711)
    return place / _CLUSTER


def owner_of(cluster: Path) -> Account | None:
    """Who must run the server of an existing cluster; None: this process as it is. Raises HomeUnusable."""
    owner = cluster.stat().st_uid
    if owner == os.geteuid() and owner != 0:
        return None
    if owner == 0 or os.geteuid() != 0:
        raise HomeUnusable(f"{cluster} belongs to {account_of(owner).name}, who cannot run PostgreSQL from here")
    return account_of(owner)


def preferred_port(directory: Path) -> int:
    """A port for this directory's first start, below the range systems give to outgoing connections."""
    return 15432 + int.from_bytes(hashlib.sha256(str(directory).encode()).digest()[:2]) % 16000


def make_directory(directory: Path, mode: int) -> None:
    """Make it with exactly this mode where it is missing; one that exists is left as it is."""
    if directory.is_dir():
        return
    directory.mkdir(mode=mode, parents=True, exist_ok=True)
    directory.chmod(mode)


def write_private(path: Path, text: str) -> None:
    """Replace the file's contents at once, mode 0600, on disk when this returns."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

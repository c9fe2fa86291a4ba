"""The server process itself: launch, the moment it is ready, shutting down, and one left behind by a killed run."""

import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from standalone.accounts import Account, dying_with_parent, run_as
from standalone.failures import CannotStart
from standalone.patience import Patience
from standalone.postgres_binaries import Binaries

STOP_SECONDS = 60.0
"""How long a fast shutdown may take before the server is told to drop everything (it recovers at the next start)."""
LEFTOVERS_SECONDS = 30.0
"""How long the last processes of a killed server may keep its memory before that is an error."""
_LOG_TAIL_BYTES = 100_000
_PROCESSES = Path("/proc")


class PortTaken(Exception):
    """The server could not listen: somebody took the port since it was seen free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything a start of the server needs but its port."""

    cluster: Path
    binaries: Binaries
    account: Account | None
    options: dict[str, str]
    log: Path
    say: Callable[[str], None]

    def run(self, port: int) -> "subprocess.Popen[bytes]":
        """Start the server and wait, however long it recovers, until it accepts. Raises PortTaken, CannotStart."""
        leftovers = Patience("processes of a killed server are going away", self.say)
        while True:
            seen = self.log.stat().st_size if self.log.exists() else 0
            process = self._spawn(port)
            if self._ready(process, seen):
                return process
            said = _since(self.log, seen)
            if "could not bind" in said:
                raise PortTaken
            if "still in use" not in said or leftovers.waited() > LEFTOVERS_SECONDS:
                raise CannotStart(f"PostgreSQL did not start: {_complaint(said)} (see {self.log})")
            leftovers.wait()

    def _spawn(self, port: int) -> "subprocess.Popen[bytes]":
        command = [str(self.binaries.directory / "postgres"), "-D", str(self.cluster), "-p", str(port)]
        for name, value in self.options.items():
            command += ["-c", f"{name}={value}"]
        with open(self.log, "ab") as output:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": os.defpath, "LC_ALL": "C"},
                start_new_session=True,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
                preexec_fn=dying_with_parent(signal.SIGINT),
            )

    def _ready(self, process: "subprocess.Popen[bytes]", seen: int) -> bool:
        patience = Patience("PostgreSQL is starting", self.say)
        try:
            while process.poll() is None:
                if _status(self.cluster, process.pid) == "ready":
                    return True
                patience.wait(lambda: _last_line(_since(self.log, seen)))
        except BaseException:
            shut_down(process, self.say)
            raise
        return False


def shut_down(process: "subprocess.Popen[bytes]", say: Callable[[str], None]) -> None:
    """Ask for a fast shutdown (sessions are ended, everything is written) and wait for it."""
    patience = Patience("PostgreSQL is shutting down", say)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    while process.poll() is None:
        if patience.waited() > STOP_SECONDS:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        patience.wait()


def stop_leftover(cluster: Path, say: Callable[[str], None]) -> None:
    """Stop a server that outlived its supervisor; the caller holds the lock, so nobody else supervises it.

    A lock file of a server that is gone is left to the next server, which knows what to do, unless its process id is
    taken again or kept by a dead process nobody buried (containers do both): that would make it refuse for ever.
    """
    lock = cluster / "postmaster.pid"
    try:
        pid = int(lock.read_text("utf-8", "replace").split("\n")[0])
    except (OSError, ValueError):
        return
    if _is_at_home(pid, cluster):
        say(f"stopping a PostgreSQL left behind by a run that was killed (process {pid})")
        os.kill(pid, signal.SIGINT)
        _until_gone(lambda: _is_at_home(pid, cluster), STOP_SECONDS, say)
    elif _PROCESSES.is_dir() and (_PROCESSES / str(pid)).exists():
        _until_gone(lambda: any(_is_at_home(int(entry), cluster) for entry in _process_ids()), LEFTOVERS_SECONDS, say)
        lock.unlink(missing_ok=True)


def _until_gone(running: Callable[[], bool], limit: float, say: Callable[[str], None]) -> None:
    patience = Patience("the PostgreSQL of a run that was killed is going away", say)
    while running():
        if patience.waited() > limit:
            raise CannotStart("the PostgreSQL of a run that was killed does not go away")
        patience.wait()


def _process_ids() -> list[str]:
    return [name for name in os.listdir(_PROCESSES) if name.isdigit()]


def _status(cluster: Path, pid: int) -> str | None:
    """The server's own word about itself, the eighth line of its lock file; None if the file is another server's."""
    try:
        lines = (cluster / "postmaster.pid").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    return lines[7].strip() if len(lines) > 7 and lines[0].strip() == str(pid) else None


def _is_at_home(pid: int, cluster: Path) -> bool:
    """Whether the process is one of the cluster's: they all work in its directory."""
    if _PROCESSES.is_dir():
        try:
            return os.path.samefile(_PROCESSES / str(pid) / "cwd", cluster)
        except OSError:
            return False
    listed = run_as(None, ["ps", "-p", str(pid), "-o", "command="], environment={"PATH": os.defpath})
    return str(cluster) in listed.stdout


def _since(log: Path, position: int) -> str:
    with open(log, "rb") as file:
        file.seek(max(position, log.stat().st_size - _LOG_TAIL_BYTES))
        return file.read().decode("utf-8", "replace")


def _last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def _complaint(said: str) -> str:
    faults = [line for line in said.splitlines() if any(word in line for word in ("FATAL:", "PANIC:", "error:"))]
    return (faults or said.splitlines() or ["it said nothing"])[-1].strip()

"""One service as a child process: its ready line is read from standard output, all else goes to its log."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from standalone.accounts import dying_with_parent
from standalone.log_file import LogFile
from standalone.patience import Patience

_LINE_BYTES_MAX = 65_536
_INSTALLED = ("site-packages", "dist-packages")
"""Directories Python looks into by itself; on PYTHONPATH they would go before its own library."""


class Child:
    """A service that can be started again after it ended. It dies with this process, Linux permitting."""

    def __init__(self, name: str, command: list[str], environment: Mapping[str, str], log: LogFile) -> None:
        self.name = name
        self.log = log
        self.ready: str | None = None
        """What the running process said after `ready <name>`: where it listens. None while it does not."""
        self._command = command
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._unread = b""

    def start(self) -> None:
        """Start the process; `attend` until `ready` says it accepts."""
        self.ready = None
        self._unread = b""
        with self.log.open() as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                preexec_fn=dying_with_parent(signal.SIGKILL),
            )
        assert self._process.stdout is not None
        os.set_blocking(self._process.stdout.fileno(), False)

    @property
    def output(self) -> int | None:
        """The descriptor to wait on for something to attend to; None once there will be nothing more."""
        process = self._process
        if process is None or process.stdout is None or process.stdout.closed:
            return None
        return process.stdout.fileno()

    @property
    def status(self) -> int | None:
        """The exit status (negative: the signal), None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def attend(self) -> None:
        """Read what it said so far, without waiting."""
        output = self.output
        if output is None or self._process is None or self._process.stdout is None:
            return
        while True:
            try:
                piece = os.read(output, _LINE_BYTES_MAX)
            except BlockingIOError:
                return
            if not piece:
                self._process.stdout.close()
                return
            *lines, self._unread = (self._unread + piece).split(b"\n")
            self._unread = self._unread[-_LINE_BYTES_MAX:]
            for line in lines:
                self._heard(line.decode("utf-8", "replace").strip())

    def _heard(self, line: str) -> None:
        words = line.split(maxsplit=2)
        if words[:1] == ["ready"]:
            said = words[2] if len(words) > 2 else ""
            self.ready = f"{self.ready} {said}" if self.ready else said
        with open(self.log.path, "ab", buffering=0) as log:
            log.write(f"{line}\n".encode())

    def stop(self, seconds: float, say: Callable[[str], None]) -> None:
        """Ask it to drain and wait; after `seconds` it is killed, which is said."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
        patience = Patience(f"{self.name} is draining", say)
        while process.poll() is None and patience.waited() < seconds:
            self.attend()
            patience.wait()
        if process.poll() is None:
            say(f"{self.name} did not drain in {seconds:.0f} s and was killed")
        self.kill()

    def kill(self) -> None:
        """End it at once; harmless when it has ended."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.kill()
        process.wait()
        self.attend()
        if process.stdout is not None:
            process.stdout.close()
        self.ready = None


def module_command(module: str) -> list[str]:
    """Runs one of this installation's modules, whatever the working directory holds under the same name."""
    return [sys.executable, "-P", "-m", module]


def module_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment in which `module_command` finds these rooms, installed or in a source tree, unbuffered."""
    here = Path(__file__).resolve().parents[1]
    paths = environment.get("PYTHONPATH", "").split(os.pathsep)
    if here.name not in _INSTALLED:
        paths.insert(0, str(here))
    path = os.pathsep.join(dict.fromkeys(filter(None, paths)))
    return {**environment, "PYTHONUNBUFFERED": "1", **({"PYTHONPATH": path} if path else {})}

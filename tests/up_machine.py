"""`agent-finops up` as a person runs it: a data directory and ports of its own, and the command on them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ports import free_ports

ROOT = Path(__file__).parents[1]
READY_SECONDS = 90.0


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _heed_ctrl_c() -> None:
    """Shells run what they put in the background deaf to Ctrl-C; that is no business of these tests."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Machine:
    """A data directory and ports of its own, and the command on them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        grpc, http, api, metrics = free_ports(4)
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "FINOPS_DATA_DIR": str(directory / "data"),
            "FINOPS_OTLP_GRPC": f"127.0.0.1:{grpc}",
            "FINOPS_OTLP_HTTP": f"127.0.0.1:{http}",
            "FINOPS_API": f"127.0.0.1:{api}",
            "FINOPS_METRICS": f"127.0.0.1:{metrics}",
        }
        self.api = f"http://127.0.0.1:{api}"
        self.process: subprocess.Popen[str] | None = None
        self.said = ""

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "standalone", *arguments]

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def begin(self, *arguments: str) -> None:
        """Start `up`; its output goes to a file that is read again and again."""
        with open(self.directory / "output", "w") as output:
            self.process = subprocess.Popen(
                self.command("up", *arguments),
                cwd=self.directory,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
                preexec_fn=_heed_ctrl_c,
            )

    def up(self, *arguments: str) -> None:
        """Start `up` and return when everything is ready."""
        self.begin(*arguments)
        until(lambda: self.ended() or "An agent needs" in self.output(), "everything to be ready", READY_SECONDS)
        assert not self.ended(), self.output()

    def output(self) -> str:
        return (self.directory / "output").read_text()

    def is_ready(self, times: int) -> bool:
        """Whether so many ready lines have been said, the three of the start included."""
        return len(re.findall("^ready ", self.output(), re.MULTILINE)) >= times

    def ended(self) -> bool:
        assert self.process is not None
        return self.process.poll() is not None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def down(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(with_signal)
        return self.process.wait(60)

    def child(self, word: str) -> int:
        (found,) = [pid for pid in children_of(self.pid) if word in command_of(pid)]
        return found

    def kill_everything(self) -> None:
        assert self.process is not None
        victims = [self.pid, *children_of(self.pid)]
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        self.process.wait()
        until(lambda: not any(is_running(victim) for victim in victims), "the killed to be gone")

    def token(self) -> str:
        return (self.directory / "data" / "admin-token").read_text().strip()

    def get(self, path: str, token: str | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(self.api + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, json.load(refusal)

    def calls(self) -> int:
        """How many calls of the doctor the API knows."""
        status, answer = self.get("/api/v1/finops/allocations?days=1&orgId=doctor", self.token())
        assert status == 200, answer
        return sum(int(row["calls"]) for row in answer)

    def examined(self) -> bool:
        """Whether the doctor finds nothing missing."""
        return self.run("doctor").returncode == 0

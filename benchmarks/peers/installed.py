"""Peers in environments of their own, outside the project's, in the user's cache; made by uv on first use and kept."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.described import Tool

UV = Path(sys.executable).parent / "uv"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agent-finops" / "peers"


class CannotInstall(Exception):
    """With the reason, for people."""


def installed(tool: Tool) -> Path:
    """The tool's bin folder; installs it where it is not there yet.

    Raises:
        CannotInstall: no interpreter, no wheel, no registry.
    """
    home = CACHE / tool.name
    mark = home / "installed.txt"
    wanted = " ".join(tool.packages)
    if not mark.exists() or mark.read_text("utf-8") != wanted:
        print(f"installing {wanted} into {home}", file=sys.stderr, flush=True)
        _run("venv", "--quiet", "--clear", "--python", interpreter(tool.python), str(home))
        _run("pip", "install", "--quiet", "--python", str(home / "bin" / "python"), *tool.packages)
        mark.write_text(wanted, "utf-8")
    return home / "bin"


def interpreter(version: str) -> str:
    """The first Python of that version that really runs: this one, one on the path, one of pyenv's.

    Raises:
        CannotInstall: there is none.
    """
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    found = [sys.executable, shutil.which(name), *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/{name}")))]
    for path in filter(None, found):
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
        if said.startswith(f"Python {version}."):
            return path
    raise CannotInstall(f"Python {version} was not found")


def _run(*words: str) -> None:
    try:
        done = subprocess.run([UV, *words], capture_output=True, text=True, timeout=900, check=False)
    except (OSError, subprocess.TimeoutExpired) as failed:
        raise CannotInstall(str(failed)) from failed
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        raise CannotInstall(" ".join(said[-2:]) or f"uv {words[0]} exited with {done.returncode}")

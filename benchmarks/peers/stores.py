"""A peer's own database, asked from outside: what it really holds, whatever it answered."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg


class Store(Protocol):
    """A database, asked in its own dialect."""

    def rows(self, question: str) -> Sequence[Sequence[Any]]:
        """Every row of the answer."""
        ...


class SqliteStore:
    """A file; opened for writing, too, since what a killed owner left in its journal must be taken in."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, question: str) -> Sequence[Sequence[Any]]:
        """Every row of the answer."""
        connection = sqlite3.connect(f"file:{self._path}?mode=rw", uri=True, timeout=30)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()


class PostgresStore:
    """A database of a server."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, question: str) -> Sequence[Sequence[Any]]:
        """Every row of the answer."""
        with psycopg.connect(self._url) as connection:
            return connection.execute(question.encode()).fetchall()

"""The formats of exports: rows go in, pieces of a file come out. What CSV and Parquet are is left to their modules."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.util import find_spec
from typing import Any, NamedTuple, Protocol

from finops.exported import Named
from query_api import csv_text
from query_api.problems import Problem

CSV, PARQUET = "csv", "parquet"
PARQUET_TYPE = "application/vnd.apache.parquet"
EXTRA = "pyarrow"


class Format(Protocol):
    """A file that grows. What comes out of it may be nothing for a while."""

    async def add(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """What is ready to be sent after these rows."""

    async def end(self) -> bytes:
        """The rest."""


class Chosen(NamedTuple):
    """A format, and what its files are called."""

    file: Format
    media_type: str
    ending: str


class CsvFormat:
    """A line of names and a line a row."""

    def __init__(self, columns: Sequence[Named]) -> None:
        self._head: list[Sequence[Any]] = [[column.name for column in columns]]

    async def add(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """These rows as text."""
        head, self._head = self._head, []
        return csv_text.csv_rows([*head, *rows])

    async def end(self) -> bytes:
        """The line of names, where nothing came."""
        return csv_text.csv_rows(self._head)


def format_of(asked: str | None, accept: str, columns: Sequence[Named]) -> Chosen:
    """The format that is asked for by name or, without one, by what is accepted. Raises a 406 problem."""
    if asked is None and PARQUET_TYPE in accept and "text/csv" not in accept:
        asked = PARQUET
    if asked != PARQUET:
        return Chosen(CsvFormat(columns), csv_text.MEDIA_TYPE, CSV)
    if find_spec(EXTRA) is None:
        detail = "Parquet wants the extra parquet, which is not installed here: pip install 'agent-finops[parquet]'"
        raise Problem(HTTPStatus.NOT_ACCEPTABLE, detail)
    from query_api.parquet_rows import ParquetFormat

    return Chosen(ParquetFormat(columns), PARQUET_TYPE, PARQUET)

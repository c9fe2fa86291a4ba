"""Parquet, row group by row group: memory holds one of them, however long the file. Wants the extra ``parquet``.

Numbers keep their type and every digit: money is decimal128. What is not known or not said is null. Text is as it is
kept, since no reader of Parquet takes text for a formula.
"""

import asyncio
import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops.exported import ColumnKind, Named
from query_api.csv_text import json_cell

GROUP_ROWS = 20_000
"""Rows of one group, at least; the last one has fewer."""
_TYPES = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.INSTANT: pa.timestamp("us", tz="UTC"),
    ColumnKind.COUNT: pa.int64(),
    ColumnKind.FLAG: pa.bool_(),
    ColumnKind.USD: pa.decimal128(38, 12),
    ColumnKind.EXACT: pa.decimal128(38, 15),
}


class _Sink(io.RawIOBase):
    """Takes what is written, until somebody takes it away."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._taken = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        self._content += content
        return len(content)

    def tell(self) -> int:
        return self._taken + len(self._content)

    def take(self) -> bytes:
        """What was written since the last time."""
        content = bytes(self._content)
        self._taken += len(content)
        self._content.clear()
        return content


class ParquetFormat:
    """A Parquet file. Encoding is done in a thread, so that other requests need not wait for it."""

    def __init__(self, columns: Sequence[Named]) -> None:
        self._schema = pa.schema([(column.name, _TYPES[column.kind]) for column in columns])
        self._texts = [at for at, column in enumerate(columns) if column.kind is ColumnKind.TEXT]
        self._sink = _Sink()
        self._writer: Any = None
        self._waiting: list[Any] = []
        self._rows = 0

    async def add(self, rows: Sequence[Sequence[Any]]) -> bytes:
        """A group, whenever there is enough for one."""
        if not rows:
            return b""
        self._waiting.append(await asyncio.to_thread(self._batch, rows))
        self._rows += len(rows)
        return await asyncio.to_thread(self._written) if self._rows >= GROUP_ROWS else b""

    async def end(self) -> bytes:
        """The last group, and what groups there are."""
        return await asyncio.to_thread(self._ended)

    def _batch(self, rows: Sequence[Sequence[Any]]) -> Any:
        columns: list[list[Any]] = [list(values) for values in zip(*rows, strict=True)]
        for at in self._texts:
            columns[at] = [_text(value) for value in columns[at]]
        arrays = [pa.array(values, field.type) for values, field in zip(columns, self._schema, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _written(self) -> bytes:
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        if self._waiting:
            table = pa.Table.from_batches(self._waiting)
            self._waiting, self._rows = [], 0
            self._writer.write_table(table, row_group_size=len(table))
        return self._sink.take()

    def _ended(self) -> bytes:
        before = self._written()
        self._writer.close()
        return before + self._sink.take()


def _text(value: Any) -> str | None:
    """Text that was said, or None; what is no text is JSON, as in CSV."""
    if value is None or value == "":
        return None
    return value if isinstance(value, str) else json_cell(value)

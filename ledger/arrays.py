"""Lists as array parameters, written at once where all elements are of one plain type: an append sends thousands."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from psycopg.abc import Buffer
from psycopg.types.array import ListDumper

SHORT: Final = 8
"""Shorter lists gain nothing."""


def _texts(items: list[str]) -> bytes:
    text = '","'.join(items)
    if "\\" in text or text.count('"') != 2 * (len(items) - 1):
        text = '","'.join(item.replace("\\", "\\\\").replace('"', '\\"') for item in items)
    if "\0" in text:
        raise ValueError("text with a NUL byte")
    return f'{{"{text}"}}'.encode()


def _blobs(items: list[bytes]) -> bytes:
    return ('{"\\\\x' + '","\\\\x'.join(map(bytes.hex, items)) + '"}').encode()


def _whole(items: list[int]) -> bytes:
    return f"{{{','.join(map(str, items))}}}".encode()


def _moments(items: list[datetime]) -> bytes:
    return ('{"' + '","'.join(map(str, items)) + '"}').encode()


_WRITERS: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _texts, bytes: _blobs, int: _whole, datetime: _moments
}  # fmt: skip


class PlainListDumper(ListDumper):
    """psycopg's own, but for long lists of one plain type."""

    def dump(self, obj: list[Any]) -> Buffer | None:
        """The array in PostgreSQL's text form."""
        if len(obj) >= SHORT:
            kinds = set(map(type, obj))
            write = _WRITERS.get(kinds.pop()) if len(kinds) == 1 else None
            if write is not None and (write is not _moments or all(item.tzinfo is UTC for item in obj)):
                return write(obj)
        return super().dump(obj)

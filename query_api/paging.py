"""Pages of long lists: how many rows, and where the page before ended."""

from collections.abc import Sequence
from typing import NamedTuple

from query_api.parameters import Parameter
from query_api.shapes import COUNT, Shape, field

LIMIT_MAX = 1000
LIMIT_DEFAULT = 100
_DIGITS_MAX = 18


class Page(NamedTuple):
    """Rows, and the cursor of the page after them; None: that was all."""

    items: Sequence[object]
    next_cursor: int | None


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= LIMIT_MAX):
        raise ValueError(f"must be a whole number from 1 to {LIMIT_MAX}")
    return int(text)


def _cursor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ValueError("must be the nextCursor of the page before")
    return int(text)


LIMIT = Parameter(
    "limit",
    _limit,
    {"type": "integer", "minimum": 1, "maximum": LIMIT_MAX, "default": LIMIT_DEFAULT},
    "Rows of the page",
    LIMIT_DEFAULT,
)
CURSOR = Parameter("cursor", _cursor, {"type": "integer"}, "The nextCursor of the page before")


def page_of(name: str, shape: Shape) -> Shape:
    """The envelope of pages of ``shape``."""
    rows = field("items", shape, "items", many=True)
    return Shape(name, (rows, field("nextCursor", COUNT, "next_cursor", nullable=True)))

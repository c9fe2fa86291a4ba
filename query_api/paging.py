"""Pages of long lists: how many rows, and where the page before ended."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from query_api.parameters import Parameter
from query_api.shapes import COUNT, Schema, Shape, field

LIMIT_MAX = 1000
LIMIT_DEFAULT = 100
_DIGITS_MAX = 18
BURN_SESSIONS_MAX = 10_000
"""So many of the fastest sessions can be paged through."""
BURN_LIMIT_DEFAULT = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Page(NamedTuple):
    """Rows, and the cursor of the page after them; None: that was all."""

    items: Sequence[object]
    next_cursor: int | None


class BurnPosition(NamedTuple):
    """How far a list of burning sessions was read, and as of when; the window slides, a list does not."""

    now: datetime
    offset: int

    def __str__(self) -> str:
        return f"{(self.now - _EPOCH) // timedelta(microseconds=1)}-{self.offset}"


def _limit(highest: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= highest):
            raise ValueError(f"must be a whole number from 1 to {highest}")
        return int(text)

    return read


def _burn_position(text: str) -> BurnPosition:
    micros, _, offset = text.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= _DIGITS_MAX for part in (micros, offset)):
        raise ValueError("must be the X-Next-Cursor of the page before")
    try:
        return BurnPosition(_EPOCH + timedelta(microseconds=int(micros)), int(offset))
    except OverflowError:
        raise ValueError("must be the X-Next-Cursor of the page before") from None


def _cursor(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        raise ValueError("must be the nextCursor of the page before")
    return int(text)


def _limit_parameter(default: int, highest: int) -> Parameter:
    schema: Schema = {"type": "integer", "minimum": 1, "maximum": highest, "default": default}
    return Parameter("limit", _limit(highest), schema, "Rows of the page", default)


LIMIT = _limit_parameter(LIMIT_DEFAULT, LIMIT_MAX)
BURN_LIMIT = _limit_parameter(BURN_LIMIT_DEFAULT, BURN_SESSIONS_MAX)
BURN_CURSOR = Parameter("cursor", _burn_position, {"type": "string"}, "The X-Next-Cursor of the page before")
CURSOR = Parameter("cursor", _cursor, {"type": "integer"}, "The nextCursor of the page before")


def page_of(name: str, shape: Shape) -> Shape:
    """The envelope of pages of ``shape``."""
    rows = field("items", shape, "items", many=True)
    return Shape(name, (rows, field("nextCursor", COUNT, "next_cursor", nullable=True)))

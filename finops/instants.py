"""Instants that people and programs state, as RFC 3339 writes them, the leap second among them."""

import re
from datetime import UTC, datetime, timedelta

_SECOND_60 = re.compile(r"(:\d\d):60(?:[.,]\d+)?")


def read_instant(text: str) -> datetime:
    """The instant; without a zone where none is stated.

    23:59:60 of UTC, in whatever zone it is written, is the second after it, as computers count and the ledger does.

    Raises:
        ValueError: it is none.
    """
    usual, leaps = _SECOND_60.subn(r"\1:59", text, count=1)
    instant = datetime.fromisoformat(usual)
    if not leaps:
        return instant
    try:
        last = instant.astimezone(UTC) if instant.tzinfo is not None else instant
        if (last.hour, last.minute, last.second) != (23, 59, 59):
            raise ValueError(f"no leap second: {text}")
        return instant.replace(microsecond=0) + timedelta(seconds=1)
    except OverflowError:
        raise ValueError(text) from None

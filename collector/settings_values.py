"""The kinds of value that a setting can have, each read from its text; ``ValueError`` says why one cannot be read."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from doors.settings_values import count as plain_count


def count(lowest: int, highest: int) -> Callable[[str], int]:
    """A whole number from ``lowest`` to ``highest``; underscores are allowed."""

    plain = plain_count(lowest, highest)
    return lambda text: plain(text.replace("_", ""))


def switch(text: str) -> bool:
    """0 or 1."""
    if text not in ("0", "1"):
        raise ValueError("is not 0 or 1")
    return text == "1"


def file(text: str) -> Path | None:
    """A file that is there, or None for nothing."""
    if not text:
        return None
    path = Path(text)
    if not path.is_file():
        raise ValueError("names no readable file")
    return path


def directory(text: str) -> Path | None:
    """A directory that need not be there yet, or None for nothing."""
    return Path(text) if text else None


def database_url(text: str) -> str:
    """The address of a PostgreSQL."""
    if not text:
        raise ValueError("must be set, e.g. postgresql://user@127.0.0.1:5432/finops")
    if urlsplit(text).scheme not in ("postgresql", "postgres"):
        raise ValueError("is not a postgresql:// address")
    return text


def database_url_or_none(text: str) -> str | None:
    """The address of a PostgreSQL, or None for nothing."""
    return database_url(text) if text else None

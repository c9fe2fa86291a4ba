"""The kinds of value that a setting can have, each read from its text; ``ValueError`` says why one cannot be read."""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

from doors.settings_values import count
from finops.burn import SLOT_SECONDS, WINDOW_SECONDS_MAX, WINDOW_SECONDS_MIN

OFF = "off"
"""Says that a neighbour is not there to be asked."""


def window_seconds(text: str) -> int:
    """A length of the sliding window."""
    seconds = count(WINDOW_SECONDS_MIN, WINDOW_SECONDS_MAX)(text)
    if seconds % SLOT_SECONDS:
        raise ValueError(f"is not a multiple of {SLOT_SECONDS}")
    return seconds


def amount(lowest: Decimal, highest: Decimal) -> Callable[[str], Decimal]:
    """A number from ``lowest`` to ``highest``."""

    def read(text: str) -> Decimal:
        try:
            found = Decimal(text)
        except InvalidOperation:
            raise ValueError("is not a number") from None
        if not found.is_finite() or not lowest <= found <= highest:
            raise ValueError(f"is not a number from {lowest} to {highest}")
        return found

    return read


def switch(text: str) -> bool:
    """0 or 1."""
    if text not in ("0", "1"):
        raise ValueError("is not 0 or 1")
    return text == "1"


def database_url(text: str) -> str:
    """The address of a PostgreSQL."""
    if urlsplit(text).scheme not in ("postgresql", "postgres"):
        raise ValueError("is not set to a postgresql:// address")
    return text


def url_or_off(text: str) -> str | None:
    """An address, or None for ``off``."""
    return None if text == OFF else url(text)


def url(text: str) -> str:
    """An http or https address."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// address")
    return text


def provider_urls(text: str) -> dict[str, str]:
    """``name=url,name=url``."""
    found: dict[str, str] = {}
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, address_of_it = piece.partition("=")
        if not equals or not name.strip():
            raise ValueError("is not name=url,name=url")
        found[name.strip()] = url(address_of_it.strip())
    return found


def file(text: str) -> Path | None:
    """A file that is there, or None for nothing."""
    path = Path(text) if text else None
    if path is not None and not path.is_file():
        raise ValueError("names no readable file")
    return path


def docker_host(text: str) -> str | None:
    """The address of a Docker host, or None for nothing."""
    if text and urlsplit(text).scheme not in ("unix", "tcp", "http", "https"):
        raise ValueError("is not a unix://, tcp:// or http:// address")
    return text or None

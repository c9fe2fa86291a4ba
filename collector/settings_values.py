"""The kinds of value that a setting can have, each read from its text."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit


class Address(NamedTuple):
    """Where to listen. Port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address(text: str) -> Address:
    """``host:port``; all readers here raise ``ValueError`` with words that follow the value."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("is not host:port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def count(lowest: int, highest: int) -> Callable[[str], int]:
    """A whole number from ``lowest`` to ``highest``; underscores are allowed."""

    def read(text: str) -> int:
        digits = text.replace("_", "")
        if not digits.isascii() or not digits.isdigit() or not lowest <= int(digits) <= highest:
            raise ValueError(f"is not a whole number from {lowest} to {highest}")
        return int(digits)

    return read


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

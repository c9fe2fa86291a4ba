"""Kinds of value that settings of both services have, read from text; ``ValueError`` says why one cannot be read."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

PORT_MAX = 65_535


class Address(NamedTuple):
    """Where to listen. Port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def from_here(self) -> "Address":
        """Where this machine reaches it: an address that means all interfaces is no address to connect to."""
        return self._replace(host={"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine alone."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def address(text: str) -> Address:
    """``host:port``."""
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > PORT_MAX:
        raise ValueError("is not host:port")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def count(lowest: int, highest: int) -> Callable[[str], int]:
    """A whole number from ``lowest`` to ``highest``."""

    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not lowest <= int(text) <= highest:
            raise ValueError(f"is not a whole number from {lowest} to {highest}")
        return int(text)

    return read

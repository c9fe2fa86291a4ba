"""Addresses as options and ready lines write them: HOST:PORT, an IPv6 host in brackets."""

from doors.settings_values import Address


def parse_address(text: str) -> Address:
    """Raises ValueError, whose message fits an option's usage error."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return Address(host, int(port))

"""Where alerts may be sent: public addresses over https, and the networks that the operator named.

An address that somebody typed in must not reach what only this service can reach: its own machine, its neighbours, the
metadata service of its cloud. Names are looked up and judged here; connecting to exactly what was judged is done by
``outbound``.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

URL_CHARACTERS_MAX = 2048
Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]

METADATA = frozenset(map(ip_address, ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")))
"""Services that hand out a machine's credentials; never allowed."""
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
"""NAT64: the last 32 bits are an IPv4 address."""


class Refused(Exception):
    """Nothing is sent there; the message says why, and names no path."""


class Target(NamedTuple):
    """An address that may be looked up."""

    secure: bool
    host: str
    """In ASCII."""
    port: int


def target(url: str) -> Target:
    """What ``url`` points to; raises ``Refused`` where it is no address of http or https that can be kept."""
    if len(url) > URL_CHARACTERS_MAX:
        raise Refused(f"must not be longer than {URL_CHARACTERS_MAX} characters")
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise Refused("must be ASCII without spaces; write other characters percent-encoded, and names as xn--…")
    parts, port = _parts(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("must be an https:// address")
    if "@" in parts.netloc:
        raise Refused("must not hold a user name or a password")
    if parts.fragment:
        raise Refused("must not hold a fragment")
    secure = parts.scheme == "https"
    return Target(secure, parts.hostname, port or (443 if secure else 80))


def why_refused(address: str, allowed: Networks, *, secure: bool) -> str | None:
    """Why nothing is sent to this IP address; None where it may be."""
    found = _reached(ip_address(address.partition("%")[0]))
    if found in METADATA:
        return "is a metadata service"
    if any(found in network for network in allowed):
        return None
    if not found.is_global or found.is_multicast or found.is_reserved:
        return "is not a public address; FINOPS_ALERT_NETWORKS can allow its network"
    return None if secure else "must be spoken to over https"


def networks(text: str) -> Networks:
    """Networks separated by commas, such as ``10.0.0.0/8,fd00::/8``; raises ``ValueError``."""
    try:
        return tuple(ip_network(piece.strip()) for piece in text.split(",") if piece.strip())
    except ValueError:
        raise ValueError("is not networks such as 10.0.0.0/8,fd00::/8") from None


def _parts(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        return parts, parts.port
    except ValueError:
        raise Refused("is not an address") from None


def _reached(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to, or itself."""
    if isinstance(address, IPv4Address):
        return address
    inner = address.ipv4_mapped or address.sixtofour
    if inner is None and any(address in network for network in _TRANSLATED):
        inner = IPv4Address(int(address) & 0xFFFFFFFF)
    return inner or address

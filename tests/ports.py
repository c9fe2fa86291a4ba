"""Ports for programs that must be told one, and get the same again after they were killed."""

import random
import socket
from contextlib import ExitStack

FIRST, LAST = 10_000, 30_000
"""Below those that a system gives to connections, one of which would take the port between a kill and a start."""
_chance = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with ExitStack() as held:
        servers: list[socket.socket] = []
        while len(servers) < count:
            try:
                servers.append(held.enter_context(socket.create_server(("127.0.0.1", _chance.randint(FIRST, LAST)))))
            except OSError:
                continue  # somebody has it
        return [server.getsockname()[1] for server in servers]


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]

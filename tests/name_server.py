"""A name server of one name, for programs that can be told whom to ask: every address it is given, in any order."""

import ipaddress
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

A_RECORD, INTERNET = 1, 1
HEADER = struct.Struct("!6H")
ANSWERED, POINTER_TO_QUESTION = 0x8580, 0xC00C
SECONDS_TO_LIVE = 1


@contextmanager
def name_server(addresses: Sequence[str]) -> Iterator[str]:
    """Where it listens; whatever name is asked for has these IPv4 addresses and no others."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
        thread = threading.Thread(target=_serve, args=(door, addresses))
        thread.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            door.sendto(b"", ("127.0.0.1", port))
            thread.join()


def _serve(door: socket.socket, addresses: Sequence[str]) -> None:
    while True:
        asked, who = door.recvfrom(4096)
        if not asked:
            return
        door.sendto(_answer(asked, addresses), who)


def _answer(asked: bytes, addresses: Sequence[str]) -> bytes:
    end = asked.index(b"\0", HEADER.size) + 5
    question = asked[HEADER.size : end]
    (kind,) = struct.unpack("!H", question[-4:-2])
    found = [ipaddress.IPv4Address(address).packed for address in addresses] if kind == A_RECORD else []
    record = struct.pack("!3HIH", POINTER_TO_QUESTION, A_RECORD, INTERNET, SECONDS_TO_LIVE, 4)
    head = HEADER.pack(int.from_bytes(asked[:2]), ANSWERED, 1, len(found), 0, 0)
    return head + question + b"".join(record + address for address in found)

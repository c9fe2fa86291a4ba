"""``python -m collector.decode_process FD``: decodes bodies in a process, and so with an interpreter lock, of its own.

Bodies come in and parcels go out over the socket that is inherited as file descriptor FD, each with four bytes of
length before it. The process holds nothing else: it ends when the other end is closed, however its parent went.
"""

import gc
import marshal
import signal
import socket
import sys
from struct import Struct
from typing import Final

from collector.decode import Decoded, Undecodable
from collector.decode_parcel import pack, unpack
from collector.decoders import DECODERS
from collector.heap import give_back, keep_little
from collector.otlp_status import Encoding, Signal

_LENGTH: Final = Struct(">I")
_DECODED, _UNDECODABLE, _FAULT, _READY = b"d", b"u", b"f", b"r"
READY: Final = _READY
"""What the process says before anything else."""


LARGE_BYTES: Final = 4 * 1024 * 1024
"""After a body larger than this, memory goes back to the system at once."""
NEW_OBJECTS_MAX: Final = 100_000
"""More than this is searched for circles, of which decoding makes none."""


class Lost(Exception):
    """The process is gone, or could not decode for a fault of its own."""


def ask(signal_: Signal, encoding: Encoding, tenant: str, received_ns: int, body: bytes) -> bytes:
    """One body to decode, as it is sent."""
    message = marshal.dumps((signal_.value, encoding.value, tenant, received_ns, body), 2)
    return _LENGTH.pack(len(message)) + message


def told(answer: bytes) -> Decoded:
    """What came back. Raises ``Undecodable`` and ``Lost``."""
    kind = answer[:1]
    if kind == _DECODED:
        return unpack(answer[1:])
    if kind == _UNDECODABLE:
        raise Undecodable("not one span can be read from these bytes")
    raise Lost(answer[1:].decode("utf-8", "replace"))


def receive(link: socket.socket) -> bytes | None:
    """The next message, or None where the other end is closed."""
    header = link.recv(_LENGTH.size, socket.MSG_WAITALL)
    if len(header) < _LENGTH.size:
        return None
    length = _LENGTH.unpack(header)[0]
    message = link.recv(length, socket.MSG_WAITALL)
    return message if len(message) == length else None


def _answer(message: bytes) -> bytes:
    signal_, encoding, tenant, received_ns, body = marshal.loads(message)
    try:
        return _DECODED + pack(DECODERS[Signal(signal_), Encoding(encoding)](body, tenant, received_ns))
    except Undecodable:
        return _UNDECODABLE
    except Exception as fault:  # noqa: BLE001 - whatever it is, one body never ends the process
        return _FAULT + type(fault).__name__.encode()


def serve(link: socket.socket) -> None:
    """Answers until the other end is closed."""
    answer: bytes | None = _READY
    size = 0
    while answer is not None:
        link.sendall(_LENGTH.pack(len(answer)) + answer)
        answer = None
        if size > LARGE_BYTES:
            give_back()
        message = receive(link)
        if message is not None:
            size = len(message)
            answer = _answer(message)
            message = None


def main(descriptor: int) -> None:
    """The process."""
    for word in (signal.SIGINT, signal.SIGTERM):
        signal.signal(word, signal.SIG_IGN)  # whoever waits for an answer says when to end
    keep_little()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX)
    with socket.socket(fileno=descriptor) as link:
        try:
            serve(link)
        except ConnectionError:
            return


if __name__ == "__main__":
    main(int(sys.argv[1]))

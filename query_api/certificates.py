"""The certificate of the API, read again when its files have changed; as the collector does, in a room of its own.

Files are looked at when somebody connects, at most once a second. What cannot be used is logged, and the certificate
that was good stays.
"""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path

LOOK_SECONDS = 1.0
_log = logging.getLogger("query_api.certificates")


def tls_context(chain: Path, key: Path, monotonic: Callable[[], float]) -> ssl.SSLContext:
    """For a server: each handshake is done with the certificate of that moment. Raises ``OSError``."""
    entrance, current = _read(chain, key), _Current(chain, key, monotonic)

    def choose(handshake: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext) -> None:
        handshake.context = current.context()

    entrance.sni_callback = choose
    return entrance


class _Current:
    def __init__(self, chain: Path, key: Path, monotonic: Callable[[], float]) -> None:
        self._files = chain, key
        self._monotonic = monotonic
        self._seen, self._looked = self._state(), monotonic()
        self._context = _read(chain, key)

    def context(self) -> ssl.SSLContext:
        now = self._monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look()
        return self._context

    def _look(self) -> None:
        try:
            state = self._state()
            if state != self._seen:
                self._seen = state
                self._context = _read(*self._files)
                _log.info("certificate files were read again")
        except OSError as fault:  # ssl.SSLError is one
            _log.warning("changed certificate files cannot be used: %s", type(fault).__name__)

    def _state(self) -> list[tuple[int, int, int]]:
        found = [path.stat() for path in self._files]
        return [(status.st_mtime_ns, status.st_size, status.st_ino) for status in found]


def _read(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    return context

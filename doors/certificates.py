"""The certificate of a door, read again when its files have changed: no restart, and no door that stands shut.

Files are looked at when somebody connects, at most once a second. What cannot be used (half written, key and chain that
do not belong together) is logged, and the certificate that was good stays.
"""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

LOOK_SECONDS = 1.0
logger = logging.getLogger("doors.certificates")


class CertificateFiles(NamedTuple):
    """Paths of PEM files."""

    chain: Path
    key: Path
    client_ca: Path | None = None
    """Whoever connects must show a certificate that one of these has signed; None: they need none."""


class Certificates:
    """What a door shows now. ``monotonic`` is a clock in seconds. Raises ``OSError`` where files cannot be used."""

    def __init__(self, files: CertificateFiles, monotonic: Callable[[], float]) -> None:
        self.files = files
        self.generation = 0
        """How often the files have been read again."""
        self._monotonic = monotonic
        self._seen = self._state()
        self._looked = monotonic()
        self._context = self._read()

    def tls_context(self) -> ssl.SSLContext:
        """For an HTTP server: each handshake is done with the certificate of that moment."""
        entrance = self._read()

        def choose(handshake: ssl.SSLObject, server_name: str | None, context: ssl.SSLContext) -> None:
            self.look()
            handshake.context = self._context

        entrance.sni_callback = choose
        return entrance

    def look(self) -> None:
        """Reads the files again where they have changed since somebody looked, a second ago or longer."""
        now = self._monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            state = self._state()
            if state == self._seen:
                return
            self._seen = state
            self._context = self._read()
        except OSError as fault:  # ssl.SSLError is one
            logger.warning("changed certificate files cannot be used", extra={"fault": type(fault).__name__})
            return
        self.generation += 1
        logger.info("certificate files were read again")

    def _state(self) -> list[tuple[int, int, int]]:
        found = [path.stat() for path in self.files if path is not None]
        return [(status.st_mtime_ns, status.st_size, status.st_ino) for status in found]

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.files.chain, self.files.key)
        if self.files.client_ca is not None:
            context.load_verify_locations(self.files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

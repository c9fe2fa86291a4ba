"""The certificate of both OTLP doors, read again when its files have changed: no restart, and no door that stands shut.

Files are looked at when somebody connects, at most once a second. What cannot be used (half written, key and chain that
do not belong together) is logged, and the certificate that was good stays.
"""

import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import grpc

LOOK_SECONDS = 1.0
logger = logging.getLogger("collector.certificates")


class CertificateFiles(NamedTuple):
    """Paths of PEM files."""

    chain: Path
    key: Path
    client_ca: Path | None
    """Senders must show a certificate that one of these has signed; None: they need none."""


class Certificates:
    """What both doors show now. ``monotonic`` is a clock in seconds. Raises ``OSError`` where files cannot be used."""

    def __init__(self, files: CertificateFiles, monotonic: Callable[[], float]) -> None:
        self._files = files
        self._monotonic = monotonic
        self._seen = self._state()
        self._looked = monotonic()
        self._context = self._read()
        self._generation = 0
        self._told_grpc = 0

    def tls_context(self) -> ssl.SSLContext:
        """For an HTTP server: each handshake is done with the certificate of that moment."""
        entrance = self._read()

        def choose(handshake: Any, server_name: str | None, context: ssl.SSLContext) -> None:
            self._look()
            handshake.context = self._context

        entrance.sni_callback = choose
        return entrance

    def grpc_credentials(self) -> Any:
        """For a gRPC server, likewise."""
        wants_client = self._files.client_ca is not None
        return grpc.dynamic_ssl_server_credentials(self._grpc_now(), self._grpc_changed, wants_client)

    def _grpc_changed(self) -> Any:
        self._look()
        if self._told_grpc == self._generation:
            return None
        self._told_grpc = self._generation
        return self._grpc_now()

    def _grpc_now(self) -> Any:
        client_ca = None if self._files.client_ca is None else self._files.client_ca.read_bytes()
        pair = (self._files.key.read_bytes(), self._files.chain.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], client_ca)

    def _look(self) -> None:
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
        self._generation += 1
        logger.info("certificate files were read again")

    def _state(self) -> list[tuple[int, int, int]]:
        found = [path.stat() for path in self._files if path is not None]
        return [(status.st_mtime_ns, status.st_size, status.st_ino) for status in found]

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._files.chain, self._files.key)
        if self._files.client_ca is not None:
            context.load_verify_locations(self._files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

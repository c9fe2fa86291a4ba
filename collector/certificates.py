"""The certificate of the OTLP doors as gRPC wants to be told of it; what it is and when it changes is ``doors``'s."""

from typing import Any

import grpc

from doors.certificates import Certificates


def grpc_credentials(certificates: Certificates) -> Any:
    """For a gRPC server: each handshake is done with the certificate of that moment."""
    files, told = certificates.files, certificates.generation

    def now() -> Any:
        client_ca = None if files.client_ca is None else files.client_ca.read_bytes()
        pair = (files.key.read_bytes(), files.chain.read_bytes())
        return grpc.ssl_server_certificate_configuration([pair], client_ca)

    def changed() -> Any:
        nonlocal told
        certificates.look()
        if told == certificates.generation:
            return None
        told = certificates.generation
        return now()

    return grpc.dynamic_ssl_server_credentials(now(), changed, files.client_ca is not None)

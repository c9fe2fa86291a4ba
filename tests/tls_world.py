"""Certificate authorities and what they sign, made with openssl in a directory of the test."""

import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

_EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """One certificate authority."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory / name
        self._directory.mkdir()
        self.certificate = self._directory / "ca.pem"
        self._key = self._directory / "ca.key"
        subject = ["-subj", f"/CN={name}"]
        _openssl("req", "-x509", *_EC, "-days", "2", *subject, "-keyout", self._key, "-out", self.certificate)

    def issue(self, name: str, *, valid: timedelta = timedelta(days=1)) -> tuple[Path, Path]:
        """(chain, key) for this machine; a negative time has already passed."""
        chain, key, request = (self._directory / f"{name}.{kind}" for kind in ("pem", "key", "csr"))
        extensions = self._directory / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n", "ascii")
        _openssl("req", "-new", *_EC, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signed = ["-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial", "-extfile", extensions]
        _openssl("x509", "-req", "-in", request, *signed, "-days", str(valid.days), "-out", chain)
        return chain, key


def _openssl(*words: object) -> None:
    try:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)
    except FileNotFoundError:
        pytest.skip("no openssl here to make certificates with")

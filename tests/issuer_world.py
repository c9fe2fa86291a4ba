"""A real issuer of bearer JWTs: serves its discovery document and its keys over HTTP, and signs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
AUDIENCE = "agent-finops"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS: dict[str, Key] = {
    "rsa": RSA,
    "ec": ECKey.generate_key("P-256", {"kid": "ec"}),
    "new": ECKey.generate_key("P-256", {"kid": "new"}),
}


class Issuer:
    """An OpenID Connect issuer as far as whoever checks its tokens sees it."""

    def __init__(self) -> None:
        self.serves = ["rsa", "ec"]
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.down = False
        self.open = threading.Event()
        self.open.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                issuer.open.wait(60)
                content = issuer.content(self.path)
                self.send_response(503 if issuer.down or content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(content or b"")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"

    def content(self, path: str) -> bytes | None:
        keys = [KEYS[name].as_dict(private=False) for name in self.serves]
        strange = [
            {"kty": "oct", "kid": "shared", "k": "c2VjcmV0" * 6},
            {"kty": "RSA", "kid": "half"},
            {"kty": "PQ"},
            7,
        ]
        documents: dict[str, object] = {
            "/realm/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/realm/keys": {"keys": [*strange, *keys]},
        }
        found = documents.get(path)
        return self.answers.get(path) or (None if found is None else json.dumps(found).encode())

    def token(self, key: Key | None = None, alg: str = "ES256", kid: str | None = "ec", **claims: Any) -> str:
        now = int(NOW.timestamp())
        said = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "exp": now + 2 * 86_400,
            "scope": "openid read",
            "org_id": "acme",
        }
        header = {"alg": alg} if kid is None else {"alg": alg, "kid": kid}
        said = {name: value for name, value in (said | claims).items() if value is not None}
        return jwt.encode(header, said, key or KEYS[kid or "ec"], algorithms=[alg])


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that serves."""
    found = Issuer()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()

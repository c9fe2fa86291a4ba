"""Bearer JWTs at the gate, of a real issuer that serves its discovery document and its keys over HTTP."""

import hmac
import json
import subprocess
import sys
import threading
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import access_world
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from finops.access import Grant, Scope, token_digest
from ledger.pool import Pool
from query_api.auth import REMEMBERED_SECONDS, Gate
from query_api.issuer_keys import FRESH_SECONDS, REFETCH_SECONDS, STALE_SECONDS
from query_api.oidc_wiring import issuer_of
from query_api.problems import Problem
from query_api.settings import BadSettings, read_settings

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
TABLES = ("tokens",)
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
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
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


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    found = Issuer()
    thread = threading.Thread(target=found.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


def with_shared_secret(token: str, secret: bytes) -> str:
    """The same claims under HS256, with what everybody knows for a secret."""
    head = base64url(b'{"alg":"HS256","kid":"rsa"}')
    signed = f"{head}.{token.split('.')[1]}"
    return f"{signed}.{base64url(hmac.digest(secret, signed.encode(), 'sha256'))}"


def base64url(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


class Stored:
    """One token of the ledger."""

    async def grant(self, digest: bytes) -> Grant | None:
        return Grant("stored", frozenset({"admin"})) if digest == token_digest("finops_stored") else None


class Door:
    """A gate as the settings make it, over a clock in the test's hand."""

    def __init__(self, issuer: Issuer, **settings: str) -> None:
        self.seconds = 0.0
        asked = {"FINOPS_OIDC_ISSUER": issuer.url, "FINOPS_OIDC_AUDIENCE": AUDIENCE, **settings}
        read = read_settings({"FINOPS_DATABASE_URL": "postgresql://nowhere/finops", **asked})
        found = issuer_of(read, lambda: self.seconds, lambda: NOW + timedelta(seconds=self.seconds))
        self.gate = Gate(Stored(), lambda: self.seconds, issuer=found)

    async def __call__(self, token: str, scope: Scope = Scope.READ) -> Grant:
        return await self.gate.admit(f"Bearer {token}", scope)

    async def refused(self, token: str, scope: Scope = Scope.READ) -> tuple[int, str]:
        with pytest.raises(Problem) as caught:
            await self(token, scope)
        assert token not in caught.value.detail
        assert caught.value.status != 401 or "WWW-Authenticate" in caught.value.headers
        return int(caught.value.status), caught.value.detail


async def test_a_signed_token_is_let_in_beside_a_stored_one(issuer: Issuer) -> None:
    door = Door(issuer)
    assert await door(issuer.token()) == Grant("oidc:ada", frozenset({"read"}), "acme")
    listed = issuer.token(alg="RS256", kid="rsa", aud=["other", AUDIENCE], scope=["rates:write", "read", 7])
    assert (await door(listed, Scope.RATES)).scopes == {"read", "rates:write"}
    assert (await door("finops_stored")).name == "stored"
    assert (await door.refused("finops_other"))[0] == 401
    assert issuer.asked == ["/realm/.well-known/openid-configuration", "/realm/keys"]


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"aud": "another"}, "aud"),
        ({"aud": None}, "aud"),
        ({"iss": "https://else.example"}, "iss"),
        ({"exp": int(NOW.timestamp()) - 31}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": True}, "exp"),
        ({"nbf": int(NOW.timestamp()) + 31}, "nbf"),
        ({"sub": None}, "sub"),
        ({"sub": "a\x00b"}, "sub"),
        ({"org_id": None}, "org_id"),
        ({"org_id": " "}, "org_id"),
        ({"org_id": ["acme"]}, "org_id"),
    ],
)
async def test_what_a_token_must_say_is_said_by_a_401(issuer: Issuer, claims: dict[str, Any], says: str) -> None:
    status, detail = await Door(issuer).refused(issuer.token(**claims))
    assert status == 401
    assert says in detail


async def test_clocks_may_differ_by_the_leeway(issuer: Issuer) -> None:
    door, now = Door(issuer), int(NOW.timestamp())
    assert await door(issuer.token(exp=now - 29, nbf=now + 29))
    strict = Door(issuer, FINOPS_OIDC_LEEWAY_SECONDS="0")
    assert (await strict.refused(issuer.token(exp=now)))[0] == 401


async def test_only_the_issuers_keys_and_the_allowed_ways_to_sign_count(issuer: Issuer) -> None:
    door = Door(issuer)
    forged = ECKey.generate_key("P-256", {"kid": "ec"})
    confused = with_shared_secret(issuer.token(KEYS["rsa"], "RS256", "rsa"), RSA.as_pem(private=False))
    good = issuer.token()
    head = base64url(b'{"alg":"none","kid":"ec"}')
    unsigned = f"{head}.{good.split('.')[1]}."
    for token in (
        issuer.token(forged),
        confused,
        issuer.token(OctKey.import_key("secret" * 6), "HS256", "shared"),
        issuer.token(KEYS["rsa"], "PS256", "rsa"),
        issuer.token(KEYS["rsa"], "RS256", "ec"),
        issuer.token(kid=None),
        unsigned,
        good[:-8] + "AAAAAAAA",
        "eyJ.e30.x",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6N30.e30.AAAA",
    ):
        assert (await door.refused(token))[0] == 401
    allowing = Door(issuer, FINOPS_OIDC_ALGORITHMS="PS256")
    assert await allowing(issuer.token(KEYS["rsa"], "PS256", "rsa"))
    assert (await allowing.refused(good))[0] == 401


async def test_a_token_without_a_known_scope_gets_nothing(issuer: Issuer) -> None:
    door = Door(issuer)
    nothing: tuple[Any, ...] = (None, "", "openid Read reads", [], {"read": 1}, 7)
    for said in nothing:
        for scope in Scope:
            assert (await door.refused(issuer.token(scope=said), scope))[0] == 403
    assert (await door.refused(issuer.token(), Scope.RATES))[0] == 403


async def test_without_a_claim_for_it_tokens_hold_for_every_organisation(issuer: Issuer) -> None:
    door = Door(issuer, FINOPS_OIDC_ORG_CLAIM="off", FINOPS_OIDC_SCOPES_CLAIM="roles")
    assert await door(issuer.token(roles=["admin"])) == Grant("oidc:ada", frozenset({"admin"}), None)


async def test_new_keys_are_found_and_old_ones_end(issuer: Issuer) -> None:
    door = Door(issuer)
    assert await door(issuer.token())
    issuer.serves = ["new"]
    asked = len(issuer.asked)
    for number in range(20):
        assert (await door.refused(issuer.token(KEYS["new"], kid=f"made-up-{number}")))[0] == 401
    assert len(issuer.asked) == asked, "made-up keys ask the issuer no more often than allowed"
    door.seconds += REFETCH_SECONDS
    assert await door(issuer.token(kid="new"))
    assert len(issuer.asked) == asked + 2
    assert (await door.refused(issuer.token()))[0] == 401


async def test_a_key_that_was_taken_back_ends_when_keys_are_no_longer_fresh(issuer: Issuer) -> None:
    door = Door(issuer)
    assert await door(issuer.token())
    issuer.serves = ["rsa"]
    door.seconds += FRESH_SECONDS - 1
    assert await door(issuer.token())
    door.seconds += 5
    assert (await door.refused(issuer.token()))[0] == 401


async def test_known_keys_outlive_an_issuer_that_is_away_for_a_day(issuer: Issuer) -> None:
    door = Door(issuer)
    issuer.down = True
    assert (await door.refused(issuer.token()))[0] == 503
    issuer.down = False
    door.seconds += REFETCH_SECONDS
    assert await door(issuer.token())
    issuer.down = True
    door.seconds += STALE_SECONDS - 1
    assert await door(issuer.token())
    door.seconds += REFETCH_SECONDS
    assert (await door.refused(issuer.token()))[0] == 503


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/realm/.well-known/openid-configuration", b'{"issuer": "https://else.example", "jwks_uri": "https://x"}'),
        ("/realm/.well-known/openid-configuration", b"[]"),
        ("/realm/keys", b"{"),
        ("/realm/keys", b'{"keys": 7}'),
        ("/realm/keys", b" " * 300_000 + b'{"keys": []}'),
    ],
)
async def test_documents_that_cannot_be_used_are_no_keys(issuer: Issuer, path: str, content: bytes) -> None:
    issuer.answers[path] = content
    assert (await Door(issuer).refused(issuer.token()))[0] == 503


async def test_keys_can_be_had_without_discovery(issuer: Issuer) -> None:
    assert await Door(issuer, FINOPS_OIDC_JWKS_URL=f"{issuer.url}/keys")(issuer.token())
    assert issuer.asked == ["/realm/keys"]


async def test_a_remembered_token_is_not_checked_again_for_three_seconds_only(issuer: Issuer) -> None:
    door = Door(issuer, FINOPS_OIDC_LEEWAY_SECONDS="0")
    token = issuer.token(exp=int(NOW.timestamp()) + 1)
    assert await door(token)
    door.seconds += REMEMBERED_SECONDS - 0.5
    assert await door(token)
    door.seconds += 0.5
    assert (await door.refused(token))[1] == "the token has expired"


def test_nothing_of_the_extra_is_imported_where_no_issuer_is_set() -> None:
    asked = "import sys, query_api.__main__; sys.exit('joserfc' in sys.modules or 'cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False, timeout=60).returncode == 0


async def test_the_api_lets_its_organisation_in_and_no_other(
    issuer: Issuer, shared_pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"FINOPS_OIDC_ISSUER": issuer.url, "FINOPS_OIDC_AUDIENCE": AUDIENCE}.items():
        monkeypatch.setitem(access_world.SETTINGS, name, text)
    token = issuer.token(exp=int(datetime.now(UTC).timestamp()) + 300)
    async with access_world.client(access_world.app_over(shared_pool)) as api:
        asked: dict[str, Any] = {"url": "/api/v1/finops/trends", "headers": {"Authorization": f"Bearer {token}"}}
        assert (await api.get(**asked)).status_code == 200
        assert (await api.get(**asked, params={"orgId": "other"})).status_code == 403
        late = {"Authorization": f"Bearer {issuer.token(exp=1)}"}
        answer = await api.get(asked["url"], headers=late)
        assert (answer.status_code, answer.json()["detail"]) == (401, "the token has expired")


@pytest.mark.parametrize(
    "settings",
    [
        {"FINOPS_OIDC_AUDIENCE": ""},
        {"FINOPS_OIDC_ISSUER": "http://issuer.example"},
        {"FINOPS_OIDC_JWKS_URL": "ftp://127.0.0.1/keys"},
        {"FINOPS_OIDC_ALGORITHMS": "RS256,HS256"},
        {"FINOPS_OIDC_ALGORITHMS": "none"},
        {"FINOPS_OIDC_LEEWAY_SECONDS": "301"},
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(settings: dict[str, str]) -> None:
    least = {"FINOPS_DATABASE_URL": "postgresql://nowhere/finops", "FINOPS_OIDC_ISSUER": "https://issuer.example"}
    with pytest.raises(BadSettings, match="FINOPS_OIDC"):
        read_settings(least | {"FINOPS_OIDC_AUDIENCE": AUDIENCE} | settings)

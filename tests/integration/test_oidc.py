"""Bearer JWTs at the gate, of a real issuer that serves its discovery document and its keys over HTTP."""

import asyncio
import hmac
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import access_world
import pytest
from issuer_world import AUDIENCE, KEYS, NOW, RSA, Issuer, issuing
from joserfc.jwk import ECKey, OctKey

import collector.settings
from doors.issuer_settings import VARIABLES
from finops.access import Grant, Scope, token_digest
from ledger.pool import Pool
from query_api.auth import REMEMBERED_SECONDS, Gate
from query_api.issuer_door import issuer_of
from query_api.problems import Problem
from query_api.settings import BadSettings, read_settings

TABLES = ("tokens",)
FRESH_SECONDS, STALE_SECONDS, REFETCH_SECONDS = (
    int(VARIABLES[name].default) for name in ("fresh_seconds", "stale_seconds", "refetch_seconds")
)


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


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
        found = issuer_of(read.oidc, lambda: self.seconds, lambda: NOW + timedelta(seconds=self.seconds))
        self.issuer = found
        self.gate = Gate(Stored(), lambda: self.seconds, issuer=found)

    async def __call__(self, token: str, scope: Scope = Scope.READ) -> Grant:
        return await self.gate.admit([f"Bearer {token}"], scope)

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
    rooms = "query_api.__main__, collector.__main__, collector.service"
    asked = f"import sys, {rooms}; sys.exit('joserfc' in sys.modules or 'cryptography' in sys.modules)"
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
        {"FINOPS_OIDC_STALE_SECONDS": "60"},
    ],
)
def test_settings_that_would_let_anybody_in_are_refused(settings: dict[str, str]) -> None:
    least = {"FINOPS_DATABASE_URL": "postgresql://nowhere/finops", "FINOPS_OIDC_ISSUER": "https://issuer.example"}
    told = least | {"FINOPS_OIDC_AUDIENCE": AUDIENCE} | settings
    with pytest.raises(BadSettings, match="FINOPS_OIDC"):
        read_settings(told)
    with pytest.raises(collector.settings.BadSettings, match="FINOPS_OIDC"):
        collector.settings.read_settings(told)


async def test_scopes_of_a_shared_issuer_carry_a_prefix(issuer: Issuer) -> None:
    door = Door(issuer, FINOPS_OIDC_SCOPE_PREFIX="api://finops/")
    said = "openid admin api://finops/read api://finops/none api://finops/api://finops/admin"
    assert (await door(issuer.token(scope=said))).scopes == {"read"}
    assert (await door.refused(issuer.token(scope="admin read")))[0] == 403


async def test_what_became_of_tokens_and_keys_is_counted(issuer: Issuer) -> None:
    door = Door(issuer)
    issuer.down = True
    assert (await door.refused(issuer.token()))[0] == 503
    issuer.down = False
    door.seconds += REFETCH_SECONDS
    assert await door(issuer.token())
    assert (await door.refused(issuer.token(aud="another")))[0] == 401
    door.seconds += 7
    assert door.issuer is not None
    found = {
        (family.name, *(value for _, value in sample.labels)): sample.value
        for family in await door.issuer.families(None)
        for sample in family.samples
    }
    assert found == {
        ("finops_oidc_keys",): 2,
        ("finops_oidc_keys_age_seconds",): 7,
        ("finops_oidc_key_fetches", "fetched"): 1,
        ("finops_oidc_key_fetches", "failed"): 1,
        ("finops_oidc_tokens", "good"): 1,
        ("finops_oidc_tokens", "refused"): 1,
        ("finops_oidc_tokens", "undecided"): 1,
    }


async def test_only_so_many_keys_and_bytes_are_looked_at(issuer: Issuer) -> None:
    assert (await Door(issuer, FINOPS_OIDC_KEYS_MAX="5").refused(issuer.token()))[0] == 401
    assert await Door(issuer, FINOPS_OIDC_KEYS_MAX="6")(issuer.token())
    issuer.answers["/realm/keys"] = b" " * 2000 + (issuer.content("/realm/keys") or b"")
    assert (await Door(issuer, FINOPS_OIDC_DOCUMENT_BYTES_MAX="1024").refused(issuer.token()))[0] == 503


async def test_an_issuer_that_hangs_keeps_nobody_waiting_whose_key_is_known(issuer: Issuer) -> None:
    door = Door(issuer, FINOPS_OIDC_FETCH_MS_MAX="60000")
    assert await door(issuer.token())
    door.seconds += FRESH_SECONDS + REFETCH_SECONDS
    issuer.open.clear()
    try:
        async with asyncio.timeout(20):
            assert await door(issuer.token(sub="bob"))
    finally:
        issuer.open.set()


async def test_two_authorization_headers_are_one_too_many(issuer: Issuer) -> None:
    door = Door(issuer)
    for sent in (["Bearer finops_stored", f"Bearer {issuer.token()}"], ["Bearer finops_stored"] * 2):
        with pytest.raises(Problem, match="more than one"):
            await door.gate.admit(sent, Scope.READ)

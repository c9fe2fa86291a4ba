"""Who may send, asked of a ledger that can be away."""

import asyncio

import pytest

from collector.otlp_status import Answer, Answers, Outcome
from collector.senders import ASK_AGAIN_SECONDS, CACHED_SECONDS, STALE_SECONDS_MAX, Senders
from finops.access import Grant, Scope, token_digest
from finops.spans import LedgerUnavailable

ASK = 0.05
ACME = Grant("acme", frozenset({Scope.INGEST}), "acme")
ADMIN = Grant("admin", frozenset({Scope.ADMIN}))
READER = Grant("reader", frozenset({Scope.READ}), "acme")


class ListedTokens:
    def __init__(self, **grants: Grant) -> None:
        self.grants = {token_digest(secret): grant for secret, grant in grants.items()}
        self.asked = 0
        self.reachable = True
        self.hangs = False

    async def grant(self, digest: bytes) -> Grant | None:
        self.asked += 1
        if self.hangs:
            await asyncio.Event().wait()
        if not self.reachable:
            raise LedgerUnavailable
        return self.grants.get(digest)

    async def any_ingest(self) -> bool:
        if not self.reachable:
            raise LedgerUnavailable
        return any(Scope.INGEST in grant.scopes for grant in self.grants.values())


class Door:
    """A door-keeper and the clock on its wall."""

    def __init__(self, tokens: ListedTokens | None, required: bool = False) -> None:
        self.now = 100.0
        self.senders = Senders(tokens, Answers(lambda: 0.5), lambda: self.now, required=required, ask_seconds_max=ASK)

    async def tenant(self, authorization: str | None) -> str:
        answer = await self.senders.tenant([] if authorization is None else [authorization])
        assert isinstance(answer, str)
        return answer

    async def refusal(self, authorization: str | None) -> Outcome:
        answer = await self.senders.tenant([] if authorization is None else [authorization])
        assert isinstance(answer, Answer)
        return answer.outcome


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic s1",
        "s1",
        "Bearer wrong",
        "Bearer read",
        "Bearer s1 s1",
        "Bearer \udcff",
        "Basic",
        "Basic czE=",
        "Basic czE6cGs=",
        "Basic cGs6czE=x",
        "Basic /w==",
        "Basic \udcff",
        "Digest s1",
    ],
)
async def test_nobody_enters_a_closed_door_without_a_token_for_sending(authorization: str | None):
    door = Door(ListedTokens(s1=ACME, read=READER))
    assert await door.refusal(authorization) is Outcome.UNAUTHENTICATED


@pytest.mark.parametrize(
    "authorization", ["Bearer s1", "bearer s1", "  Bearer   s1  ", "Basic cGs6czE=", "basic OnMx", "Basic cGs6czEK"]
)
async def test_a_token_gives_its_organisation(authorization: str):
    assert await Door(ListedTokens(s1=ACME)).tenant(authorization) == "acme"


async def test_a_token_of_every_organisation_leaves_the_tenant_to_the_spans():
    assert await Door(ListedTokens(s1=ACME, root=ADMIN)).tenant("Bearer root") == ""


async def test_the_door_is_open_until_a_token_for_sending_exists():
    tokens = ListedTokens(root=ADMIN)
    door = Door(tokens)
    assert await door.tenant(None) == ""
    tokens.grants[token_digest("s1")] = ACME
    door.now += CACHED_SECONDS
    assert await door.refusal(None) is Outcome.UNAUTHENTICATED
    assert await door.tenant("Bearer s1") == "acme"


async def test_tokens_can_be_required_before_one_exists():
    assert await Door(ListedTokens(), required=True).refusal(None) is Outcome.UNAUTHENTICATED


async def test_a_token_is_remembered_for_a_while_and_a_revoked_one_not_longer():
    tokens = ListedTokens(s1=ACME)
    door = Door(tokens)
    for _ in range(5):
        assert await door.tenant("Bearer s1") == "acme"
    assert tokens.asked == 1
    del tokens.grants[token_digest("s1")]
    tokens.grants[token_digest("s2")] = ACME
    door.now += CACHED_SECONDS
    assert await door.refusal("Bearer s1") is Outcome.UNAUTHENTICATED


async def test_a_ledger_that_cannot_be_asked_is_a_reason_to_come_back():
    tokens = ListedTokens(s1=ACME)
    tokens.reachable = False
    door = Door(tokens)
    assert await door.refusal("Bearer s1") is Outcome.UNAVAILABLE
    assert await door.refusal(None) is Outcome.UNAVAILABLE


async def test_while_the_ledger_cannot_be_asked_what_it_said_last_holds_for_an_hour():
    tokens = ListedTokens(s1=ACME)
    door = Door(tokens)
    assert await door.tenant("Bearer s1") == "acme"
    assert await door.refusal("Bearer wrong") is Outcome.UNAUTHENTICATED
    tokens.reachable = False
    for _ in range(int(STALE_SECONDS_MAX) // 60 - 1):
        door.now += 60
        assert await door.tenant("Bearer s1") == "acme"
        assert await door.refusal("Bearer wrong") is Outcome.UNAUTHENTICATED
    asked = tokens.asked
    assert await door.tenant("Bearer s1") == "acme"
    assert tokens.asked == asked, "it is not asked with every export"
    door.now += 120
    assert await door.refusal("Bearer s1") is Outcome.UNAVAILABLE
    tokens.reachable = True
    tokens.grants.clear()
    assert await door.tenant("Bearer s1") == "", "revoked, and with it the last token: the door is open"


async def test_an_open_door_stays_open_while_the_ledger_cannot_be_asked():
    tokens = ListedTokens()
    door = Door(tokens)
    assert await door.tenant(None) == ""
    tokens.reachable = False
    door.now += CACHED_SECONDS + 1
    assert await door.tenant(None) == ""
    door.now += STALE_SECONDS_MAX
    assert await door.refusal(None) is Outcome.UNAVAILABLE


async def test_a_ledger_that_hangs_is_waited_for_by_one_sender_a_second():
    tokens = ListedTokens(s1=ACME, s2=ACME)
    door = Door(tokens)
    assert await door.tenant("Bearer s1") == "acme"
    door.now += CACHED_SECONDS
    tokens.hangs = True
    for _ in range(5):
        assert await door.refusal("Bearer s2") is Outcome.UNAVAILABLE
        assert await door.tenant("Bearer s1") == "acme"
    assert tokens.asked == 2
    tokens.hangs = False
    door.now += ASK_AGAIN_SECONDS
    assert await door.tenant("Bearer s2") == "acme"

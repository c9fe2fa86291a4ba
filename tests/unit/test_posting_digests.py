"""Digests of postings are stored: the same posting must come to the same bytes in every version to come."""

from finops.postings import Posting
from finops.usage import TokenUsage

POSTING = Posting(
    "acme", bytes(16), bytes(8), 1_790_000_000_123_456_000, 1_790_000_000_000_000_000, "acme", "team", "clerk", "it's",
    "", "prod", "shop", "openai", "gpt-4o", None, "chat", 1, 0, 0, TokenUsage(1000, 10, 128, 3, 1, 4), None, "priority",
    False, 12, ("clamped",),
)  # fmt: skip


def test_both_digests_at_once_are_the_two_one_by_one() -> None:
    for posting in (POSTING, POSTING._replace(usage=None)):
        assert posting.digests() == posting.digest() + posting.price_digest()


def test_digests_are_those_that_ledgers_hold() -> None:
    assert POSTING.digests().hex() == "7ce43548dddd70d48d478e1d883c24aad1b8c1ab84b9ca2f"

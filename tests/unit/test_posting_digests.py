"""Digests of postings are stored: the same posting must come to the same bytes in every version to come."""

from typing import Any

import pytest

from finops.posting_digests import digests, is_priced_alike, stands
from finops.postings import Posting
from finops.usage import TokenUsage

POSTING = Posting(
    "acme", bytes(16), bytes(8), 1_790_000_000_123_456_000, 1_790_000_000_000_000_000, "acme", "team", "clerk", "it's",
    "", "prod", "shop", "openai", "gpt-4o", None, "chat", 1, 0, 0, TokenUsage(1000, 10, 128, 3, 1, 4), None, "priority",
    False, 12, ("clamped",),
)  # fmt: skip
NOW = bytes.fromhex("0230f08fbfef08a5a06eba426d4636c093b7f7df08a11f0544")
BEFORE = bytes.fromhex("7ce43548dddd70d48d478e1d883c24aad1b8c1ab84b9ca2f")
"""As releases before the second form kept it."""
FORMS = pytest.mark.parametrize("posted", [NOW, BEFORE], ids=["now", "before"])
OTHER_VALUES: dict[str, Any] = {
    "event_ns": 1, "start_ns": 1, "org_id": "x", "team_id": "x", "agent_id": "x", "session_id": "x", "user_id": "x",
    "environment": "x", "service": "x", "provider": None, "request_model": "x", "response_model": "x", "operation": "x",
    "calls": 2, "agent_runs": 1, "tool_calls": 1, "usage": None, "cache_hit": "exact", "service_tier": None,
    "batch": True, "reported_cost_pico_usd": None, "flags": (),
}  # fmt: skip
PRICE_DEPENDS_ON = {
    "start_ns", "org_id", "provider", "request_model", "response_model", "operation", "calls", "usage", "cache_hit",
    "service_tier", "batch",
}  # fmt: skip


def test_digests_are_those_that_ledgers_hold() -> None:
    assert digests(POSTING) == NOW


@FORMS
def test_what_is_kept_of_a_posting_stands_for_it_in_either_form(posted: bytes) -> None:
    assert stands(POSTING, posted)
    assert is_priced_alike(POSTING, posted)
    assert not stands(None, posted)
    assert not stands(POSTING, None)
    assert stands(None, None)


def test_every_field_but_the_identity_is_among_the_other_values() -> None:
    assert [*OTHER_VALUES] == [*Posting._fields[3:]]


@FORMS
@pytest.mark.parametrize("field", OTHER_VALUES)
def test_another_value_of_a_field_is_another_posting_and_another_price_only_where_it_depends_on_it(
    field: str, posted: bytes
) -> None:
    other = POSTING._replace(**{field: OTHER_VALUES[field]})
    assert not stands(other, posted)
    assert is_priced_alike(other, posted) is (field not in PRICE_DEPENDS_ON)


def test_words_made_anew_come_to_the_same_bytes_as_shared_ones() -> None:
    shared = "clerk-" + "x" * 40
    twice = POSTING._replace(agent_id=shared, session_id=shared)
    apart = POSTING._replace(agent_id=shared, session_id="".join(list(shared)))
    assert digests(twice) == digests(apart)

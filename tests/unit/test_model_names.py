"""Names as senders write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.model_catalogue import whole_segment_end
from finops.model_names import (
    MODEL_ID_LENGTH_MAX,
    canonical_provider,
    dashed_date,
    fine_tune_base,
    model_name,
    provider_by_shape,
    shown_model,
    undated,
    unstaged,
    variant,
    vendor_prefix,
    without_region,
)


@pytest.mark.parametrize(
    ("sent", "canonical"),
    [
        ("openai", "openai"), ("OpenAI", "openai"), ("azure", "azure.ai.openai"), ("az.ai.openai", "azure.ai.openai"),
        ("az.ai.inference", "azure.ai.inference"), ("bedrock", "aws.bedrock"), ("vertex_ai", "gcp.vertex_ai"),
        ("gcp.gen_ai", "gcp.gemini"), ("xai", "x_ai"), ("x_ai", "x_ai"), ("ollama", "self_hosted"),
        ("litellm", ""), ("strands-agents", ""), ("my-gateway", "my-gateway"), (None, ""), ("  ", ""),
    ],
)  # fmt: skip
def test_a_provider_has_one_name(sent: str | None, canonical: str) -> None:
    assert canonical_provider(sent) == canonical


@pytest.mark.parametrize(
    ("sent", "shown", "opaque"),
    [
        ("gpt-4o", "gpt-4o", False),
        (" MiniMax-M2 ", "MiniMax-M2", False),
        ("models/gemini-2.5-pro", "gemini-2.5-pro", False),
        ("publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro", False),
        ("projects/p/locations/eu/publishers/anthropic/models/claude-opus-4@20250514", "claude-opus-4@20250514", False),
        ("projects/p/locations/eu/endpoints/123", "projects/p/locations/eu/endpoints/123", True),
        ("tunedModels/mine", "tunedModels/mine", True),
        (
            "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "us.anthropic.claude-sonnet-4-20250514-v1:0",
            False,
        ),
        ("arn:aws-us-gov:bedrock:r::foundation-model/amazon.nova-lite-v1:0", "amazon.nova-lite-v1:0", False),
        ("arn:aws:bedrock:r:1:provisioned-model/abc", "arn:aws:bedrock:r:1:provisioned-model/abc", True),
        ("accounts/fireworks/models/glm-5p1", "accounts/fireworks/models/glm-5p1", False),
        ("deepseek/models-of-mine", "deepseek/models-of-mine", False),
        ("a\x00b\nc", "abc", False),
        (None, "", False),
    ],
)
def test_the_wrapping_comes_off(sent: str | None, shown: str, opaque: bool) -> None:
    name = model_name(sent)
    assert (name.shown, name.key, name.opaque) == (shown, shown.lower(), opaque)


@given(st.text(max_size=600))
def test_no_name_is_too_long_or_holds_control_characters(sent: str) -> None:
    name = model_name(sent)
    assert len(name.shown) <= MODEL_ID_LENGTH_MAX
    assert not any(ord(character) < 32 for character in name.shown)


@pytest.mark.parametrize(
    ("dated", "plain"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-5.2-20251211", "gpt-5.2"),
        ("claude-sonnet-4@20250514", "claude-sonnet-4"),
        ("gpt-4-0613", "gpt-4"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "anthropic.claude-sonnet-4-v1:0"),
        ("gpt-4o", "gpt-4o"),
        ("gemini-2.5-pro", "gemini-2.5-pro"),
        ("llama-3.1-8b-9999", "llama-3.1-8b-9999"),
    ],
)
def test_a_date_comes_off_whole(dated: str, plain: str) -> None:
    assert undated(dated) == plain


def test_other_parts_come_off_whole() -> None:
    assert dashed_date("gpt-5.2-20251211") == "gpt-5.2-2025-12-11"
    assert [unstaged(key) for key in ("gemini-1.5-pro-002", "grok-3-latest", "gpt-4o")] == [
        "gemini-1.5-pro", "grok-3", "gpt-4o",
    ]  # fmt: skip
    assert without_region("us-gov.anthropic.claude-3") == "anthropic.claude-3"
    assert without_region("us.claude") == "us.claude"
    assert fine_tune_base("ft:gpt-4o-mini-2024-07-18:org::id") == "gpt-4o-mini-2024-07-18"
    assert fine_tune_base("gpt-4o") is None
    assert variant("openai/gpt-4o:nitro") == ("openai/gpt-4o", "nitro")
    assert variant("llama3.2:3b") is None
    assert variant("openai/gpt-4o:batch") is None
    assert vendor_prefix("bedrock/us.amazon.nova-lite-v1:0") == ("aws.bedrock", "us.amazon.nova-lite-v1:0")
    assert vendor_prefix("meta-llama/Llama-3") is None


@pytest.mark.parametrize(
    ("key", "provider"),
    [
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", "aws.bedrock"),
        ("amazon.nova-lite-v1:0", "aws.bedrock"),
        ("accounts/fireworks/models/glm-5p1", "fireworks"),
        ("gpt-4.1", None),
        ("kimi-k2.5", None),
    ],
)
def test_some_ids_tell_their_provider(key: str, provider: str | None) -> None:
    assert provider_by_shape(key) == provider


@pytest.mark.parametrize(
    ("asked", "answered", "shown"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", "gpt-4o"),
        ("gpt-4o", None, "gpt-4o"),
        (None, "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("my-deployment", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18", "gpt-4o-mini-2024-07-18"),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        (None, None, "unknown"),
    ],
)
def test_reports_show_the_name_that_was_used(asked: str | None, answered: str | None, shown: str) -> None:
    assert shown_model(model_name(asked), model_name(answered)) == shown


def test_a_rule_stops_between_parts_of_a_name_only() -> None:
    assert whole_segment_end("claude-opus-4-1-20250805", len("claude-opus-4-1"))
    assert not whole_segment_end("claude-opus-4-10", len("claude-opus-4-1"))
    assert not whole_segment_end("gpt-4o-minimax", len("gpt-4o-mini"))
    assert whole_segment_end("claude-sonnet-4-20250514", len("claude-sonnet-4-2025"))
    assert whole_segment_end("gpt-4o", len("gpt-4o"))

"""Which rate a call is priced at, by the real catalogue and by operators' rates."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from finops.offers import NO_MODEL, NOT_BY_TOKENS, PROVIDER_AMBIGUOUS, UNKNOWN_MODEL
from finops.price_book import PriceBook, implausible
from finops.pricing import CallFacts, Priced, Unpriced, price
from finops.rate_versions import unix_ns
from finops.rates import OperatorRate, RatePut, RefusedRate, StatedRates, femto_from_k_tokens, stated_from_k_tokens
from finops.usage import token_usage
from ledger.catalogue import bundled_catalogue

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
USAGE = token_usage(input_tokens=1000, output_tokens=100)


def operator(version: int, model_id: str, input_femto: int, **other: object) -> OperatorRate:
    rate = OperatorRate(
        version=version,
        org_id="",
        provider="",
        model_id=model_id,
        ended=False,
        stated=StatedRates(input=input_femto, output=0),
        dated=False,
        effective_from=NOW,
        created_at=NOW,
    )
    return replace(rate, **other)  # type: ignore[arg-type]


def book(*rates: OperatorRate) -> PriceBook:
    return PriceBook(bundled_catalogue(), epoch=len(rates), operator_rates=rates)


def answer(
    prices: PriceBook,
    provider: str | None,
    request: str | None,
    response: str | None = None,
    *,
    org: str = "acme",
    tier: str | None = None,
    at: datetime = NOW,
) -> Priced | Unpriced:
    return price(CallFacts(org, provider, request, response, "chat", USAGE, unix_ns(at), tier), prices)


def usd_per_million(prices: PriceBook, *names: str | None) -> Decimal:
    priced = answer(prices, *names)
    assert isinstance(priced, Priced), priced
    return Decimal(priced.lines[0].rate_femto) / 10**9


@pytest.mark.parametrize(
    ("provider", "request_model", "response_model", "usd", "flags"),
    [
        ("openai", "gpt-4o", "gpt-4o-2024-08-06", "2.5", ()),
        ("openai", "gpt-4o", "gpt-4o-2024-05-13", "5", ()),
        ("openai", "gpt-4o-mini", None, "0.15", ()),
        ("openai", "gpt-4o-mini-2024-07-18", None, "0.15", ()),
        ("azure", "prod", "gpt-4o-2024-11-20", "2.5", ()),
        ("azure", "gpt-4o", None, "2.5", ("deploymentName",)),
        ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "3", ()),
        ("aws.bedrock", "global.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "3", ()),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", None, "3.3", ()),
        ("vertex_ai", "publishers/anthropic/models/claude-sonnet-4@20250514", None, "3", ()),
        ("openrouter", "openai/gpt-4o:floor", None, "2.5", ()),
        ("openrouter", "some/model:free", None, "0", ("listedFree",)),
        ("openai", "ft:gpt-4o-2024-08-06:org::id", None, "3.75", ("fineTuned",)),
        ("openai", "ft:gpt-4.1-2025-04-14:org::id", None, "2", ("fineTuned",)),
        (None, "gpt-4o", None, "2.5", ("providerGuessed",)),
        (None, "anthropic/claude-sonnet-4-5", None, "3", ("providerGuessed",)),
        ("litellm", "bedrock/amazon.nova-lite-v1:0", None, "0.06", ("providerGuessed",)),
        ("openai", "claude-sonnet-4-5", None, "3", ("providerGuessed",)),
    ],
)
def test_the_catalogue_knows_models_by_every_name_senders_use(
    provider: str | None, request_model: str, response_model: str | None, usd: str, flags: tuple[str, ...]
) -> None:
    priced = answer(book(), provider, request_model, response_model)
    assert isinstance(priced, Priced), priced
    assert (Decimal(priced.lines[0].rate_femto) / 10**9, priced.flags) == (Decimal(usd), flags)


@pytest.mark.parametrize(
    ("provider", "request_model", "reason"),
    [
        ("openai", None, NO_MODEL),
        ("openai", "gpt-4o-minimax", UNKNOWN_MODEL),
        ("openai", "gpt-99", UNKNOWN_MODEL),
        ("anthropic", "claude-opus-4-10", UNKNOWN_MODEL),
        ("ollama", "llama3.2:3b", UNKNOWN_MODEL),
        ("self_hosted", "gpt-4o", UNKNOWN_MODEL),
        ("azure", "prod-chat", UNKNOWN_MODEL),
        ("aws.bedrock", "arn:aws:bedrock:r:1:provisioned-model/gpt-4o", UNKNOWN_MODEL),
        ("openai", "whisper-1", NOT_BY_TOKENS),
        (None, "openai/gpt-oss-120b-nobody-sells", UNKNOWN_MODEL),
        (None, "zai-org/GLM-4.7", PROVIDER_AMBIGUOUS),
    ],
)
def test_what_nobody_states_is_unpriced_with_its_reason(
    provider: str | None, request_model: str | None, reason: str
) -> None:
    unpriced = answer(book(), provider, request_model)
    assert isinstance(unpriced, Unpriced), unpriced
    assert (unpriced.reason, unpriced.model_id) == (reason, request_model or "unknown")


def test_the_catalogues_source_and_version_are_told() -> None:
    priced = answer(book(), "openai", "gpt-4o", "gpt-4o-2024-08-06")
    assert isinstance(priced, Priced)
    assert (priced.provider, priced.model_id, priced.source, priced.match_rule) == (
        "openai",
        "gpt-4o",
        "catalogue",
        "alias",
    )
    assert priced.rate_version == bundled_catalogue().version


def test_an_operators_rate_also_prices_the_dated_names_of_its_model() -> None:
    prices = book(operator(1, "gpt-4o", 7 * 10**9))
    assert usd_per_million(prices, "openai", "gpt-4o") == 7
    assert usd_per_million(prices, "openai", "gpt-4o", "gpt-4o-2024-08-06") == 7
    assert usd_per_million(prices, "openai", None, "gpt-4o-2024-08-06") == 7
    assert usd_per_million(prices, "azure", "x", "GPT-4o") == 7
    assert usd_per_million(prices, None, "openai/gpt-4o") == 7
    assert usd_per_million(prices, "openai", "gpt-4o-mini") == Decimal("0.15")
    assert usd_per_million(prices, "openai", "ft:gpt-4o-2024-08-06:o::i") == Decimal("3.75")


def test_the_more_exact_operator_rate_wins() -> None:
    prices = book(
        operator(1, "gpt-4o", 1 * 10**9),
        operator(2, "gpt-4o-2024-08-06", 2 * 10**9),
        operator(3, "gpt-4o", 3 * 10**9, provider="azure.ai.openai"),
        operator(4, "gpt-4o", 4 * 10**9, org_id="acme"),
    )
    assert usd_per_million(prices, "openai", "gpt-4o", "gpt-4o-2024-08-06") == 4
    names = [("openai", "gpt-4o-2024-08-06"), ("openai", "gpt-4o-2024-11-20"), ("azure", "gpt-4o-2024-11-20")]
    other = [answer(prices, provider, "gpt-4o", response, org="beta") for provider, response in names]
    assert [one.rate_version for one in other if isinstance(one, Priced)] == [2, 1, 3]
    assert [one.match_rule for one in other if isinstance(one, Priced)] == ["operator:exact"] * 3


def test_an_operators_rate_holds_whatever_the_tier() -> None:
    priced = answer(book(operator(1, "gpt-4o", 10**9)), "openai", "gpt-4o", tier="priority")
    assert isinstance(priced, Priced)
    assert (priced.source, priced.tier, priced.flags) == ("operator", "standard", ())


def test_outside_its_dates_an_operators_rate_leaves_the_call_to_the_catalogue() -> None:
    prices = book(
        operator(1, "gpt-4o", 7 * 10**9, dated=True, effective_from=NOW),
        operator(2, "gpt-4o", 0, ended=True, effective_from=NOW + HOUR, created_at=NOW + HOUR),
    )
    versions = []
    for shift in (-1, 0, 1):
        priced = answer(prices, "openai", "gpt-4o", at=NOW + shift * HOUR)
        assert isinstance(priced, Priced)
        versions.append(priced.source)
    assert versions == ["catalogue", "operator", "catalogue"]


def test_the_memo_is_bounded_whatever_names_arrive() -> None:
    prices = PriceBook(bundled_catalogue(), memo_limit=50)
    for number in range(500):
        answer(prices, "openai", f"nobody-{number}")
    assert prices.memo_entries <= 50


def put(model_id: str, input_usd: str, output_usd: str, **other: object) -> RatePut:
    stated = stated_from_k_tokens({"inputRatePerKTokens": input_usd, "outputRatePerKTokens": output_usd})
    return RatePut(model_id=model_id, stated=stated, **other)  # type: ignore[arg-type]


def test_a_price_per_million_in_a_field_per_thousand_is_noticed() -> None:
    prices = book()
    assert implausible(put("gpt-4o", "0.0025", "0.01"), prices, NOW) == {}
    assert implausible(put("gpt-4o", "0.25", "1"), prices, NOW) == {}
    slips = implausible(put("gpt-4o", "2.5", "10"), prices, NOW)
    assert list(slips) == ["inputRatePerKTokens", "outputRatePerKTokens"]
    assert slips["inputRatePerKTokens"].startswith("2.5 is more than 100 times off")
    assert list(implausible(put("gpt-4o", "0.0000025", "0.01"), prices, NOW)) == ["inputRatePerKTokens"]
    assert implausible(put("gpt-4o", "0", "0"), prices, NOW) == {}
    assert implausible(put("my-own-model", "2.5", "10"), prices, NOW) == {}
    assert implausible(put("gpt-4o", "2.5", "10", provider="self_hosted"), prices, NOW) == {}


BAD = ["-0.1", "NaN", "Infinity", "abc", "1e9", "10000.1", "0.0000000000001", 0.1, True]
BEYOND = ["1e-13", "1e-999999999", "1e-1999999999999999997", "1e-99999999999999999999", "1e999999999"]


@pytest.mark.parametrize("bad", [*BAD, *BEYOND])
def test_rates_that_cannot_be_kept_exactly_are_refused(bad: object) -> None:
    with pytest.raises(ValueError, match=r"must|number|more than"):
        femto_from_k_tokens(bad)  # type: ignore[arg-type]


def test_the_smallest_rate_and_zero_however_written_are_kept() -> None:
    assert femto_from_k_tokens("1e-12") == 1
    assert femto_from_k_tokens("0.0000000000010000") == 1
    assert femto_from_k_tokens("0e-999999999") == femto_from_k_tokens("0e999999999") == 0


def test_every_fault_of_a_request_is_named() -> None:
    with pytest.raises(RefusedRate) as refused:
        stated_from_k_tokens({"inputRatePerKTokens": "-1", "cachedInputRatePerKTokens": "NaN"})
    assert set(refused.value.faults) == {
        "inputRatePerKTokens", "outputRatePerKTokens", "cachedInputRatePerKTokens",
    }  # fmt: skip

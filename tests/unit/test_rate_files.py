"""Rates in files: an operator's CSV, and LiteLLM's list as a second source."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, price
from finops.rate_files import (
    COLUMNS,
    Disagreement,
    RefusedFile,
    disagreements,
    rates_csv,
    rates_from_csv,
    rates_from_litellm,
    unstated,
)
from finops.rate_versions import unix_ns
from finops.rates import OperatorRate, RatePut, StatedRates
from finops.usage import token_usage
from ledger.catalogue import bundled_catalogue

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

LITELLM = json.dumps(
    {
        "sample_spec": {"input_cost_per_token": 0.0, "litellm_provider": "one of these"},
        "gpt-4o": {"litellm_provider": "openai", "input_cost_per_token": 3e-06, "output_cost_per_token": 1e-05},
        "azure/nobody-lists-this": {
            "litellm_provider": "azure",
            "input_cost_per_token": 1.23e-06,
            "output_cost_per_token": 4.1666666666666665e-08,
            "cache_read_input_token_cost": 0,
        },
        "dall-e-3": {"litellm_provider": "openai", "input_cost_per_pixel": 1.9e-08},
        "negative": {"litellm_provider": "openai", "input_cost_per_token": -1},
    }
)


def version(number: int, put: RatePut) -> OperatorRate:
    return OperatorRate(
        version=number, org_id=put.org_id, provider=put.provider, model_id=put.model_id, ended=False, stated=put.stated,
        dated=put.effective_from is not None, effective_from=put.effective_from or NOW, created_at=NOW,
        source=put.source, author=put.author, reason=put.reason,
    )  # fmt: skip


def book(*puts: RatePut) -> PriceBook:
    return PriceBook(bundled_catalogue(), operator_rates=[version(number, put) for number, put in enumerate(puts, 1)])


def test_what_is_exported_can_be_imported_to_the_last_digit() -> None:
    rates = [
        RatePut(model_id="gpt-4o", stated=StatedRates(input=2_500_000_001, output=0, cached=0), author="ada"),
        RatePut(
            model_id='odd, "name"', stated=StatedRates(input=1, output=10**16, reasoning=7, cache_write_5m=9),
            org_id="acme", provider="azure.ai.openai", effective_from=NOW, author="ada", reason="contract\n2026",
        ),
    ]  # fmt: skip
    written = "".join(rates_csv([version(number, put) for number, put in enumerate(rates, 1)]))
    assert rates_from_csv(written, "ada") == rates
    assert unstated(book(*rates), rates_from_csv(written, "ada"), NOW) == []


def test_a_file_with_faults_is_refused_whole_with_every_fault() -> None:
    rows = [
        "modelId,inputRatePerKTokens,outputRatePerKTokens,effectiveFrom",
        "a,1,2,",
        "b,-1,x,",
        ",1,1,",
        "c,1,1,today",
    ]
    with pytest.raises(RefusedFile) as refused:
        rates_from_csv("\n".join(rows), "ada")
    assert [fault.partition(":")[0] for fault in refused.value.faults] == ["row 3", "row 3", "row 4", "row 5"]
    with pytest.raises(RefusedFile, match="unknown: price"):
        rates_from_csv("modelId,price\na,1", "ada")
    assert rates_from_csv(",".join(COLUMNS), "ada") == []


def test_litellms_list_is_read_without_a_float() -> None:
    source = rates_from_litellm(LITELLM, "ada")
    assert [(put.provider, put.model_id, put.stated.input, put.stated.output) for put in source.rates] == [
        ("openai", "gpt-4o", 3_000_000_000, 10_000_000_000),
        ("azure.ai.openai", "nobody-lists-this", 1_230_000_000, 41_666_667),
    ]
    assert source.left_out == 2
    for broken in ("[]", "{", '{"a": 1}'):
        with pytest.raises(RefusedFile):
            rates_from_litellm(broken, "ada")


def test_the_second_source_prices_only_what_nobody_else_does() -> None:
    prices = book(*rates_from_litellm(LITELLM, "ada").rates)
    usage = token_usage(input_tokens=1000)

    def priced(provider: str, model: str) -> Priced:
        answer = price(CallFacts("", provider, model, None, "chat", usage, unix_ns(NOW)), prices)
        assert isinstance(answer, Priced)
        return answer

    assert (priced("openai", "gpt-4o").source, priced("openai", "gpt-4o").cost_pico) == ("catalogue", 2_500_000_000)
    second = priced("azure", "nobody-lists-this")
    assert (second.source, second.match_rule, second.cost_pico) == ("litellm", "litellm:exact", 1_230_000_000)


def test_sources_that_disagree_are_listed_by_the_dollars_at_stake() -> None:
    source = rates_from_litellm(LITELLM, "ada")
    used = {
        ("openai", "gpt-4o"): token_usage(input_tokens=10_000, output_tokens=10),
        ("openai", "gpt-4o-2024-11-20"): token_usage(input_tokens=1000),
        ("openai", "gpt-4o-mini"): token_usage(input_tokens=1000),
        ("azure.ai.openai", "nobody-lists-this"): token_usage(input_tokens=1000),
    }
    assert disagreements(book(), source.rates, used, NOW) == [
        Disagreement("openai", "gpt-4o", 25_100_000_000, 30_100_000_000),
        Disagreement("openai", "gpt-4o-2024-11-20", 2_500_000_000, 3_000_000_000),
    ]


def test_importing_twice_states_only_what_changed() -> None:
    first = rates_from_litellm(LITELLM, "ada").rates
    dearer = replace(first[0], stated=first[0].stated._replace(input=4_000_000_000))
    assert unstated(book(*first), [dearer, first[1]], NOW) == [dearer]

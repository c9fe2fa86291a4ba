"""The arithmetic of a price, against exact fractions."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops.model_catalogue import STANDARD, Catalogue, DaySlots, ModelPrices, Period, ProviderPrices, Variant
from finops.offers import IMPLAUSIBLE_COST
from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, PriceLine, Unpriced, price
from finops.rate_versions import BEGINNING_NS
from finops.rates import Rates, StatedRates, TieredRates, filled, flat
from finops.usage import TOKENS_PER_CALL_MAX, TokenUsage, token_usage

RATE_OF = {
    "input": "input", "cached": "cached", "cacheWrite5m": "cache_write_5m", "cacheWrite1h": "cache_write_1h",
    "inputAudio": "input_audio", "cachedAudio": "cached_audio", "inputImage": "input_image", "output": "output",
    "reasoning": "reasoning", "outputAudio": "output_audio", "outputImage": "output_image", "request": "request",
    "search": "search",
}  # fmt: skip
INPUT_KINDS = {"input", "cached", "cacheWrite5m", "cacheWrite1h", "inputAudio", "cachedAudio", "inputImage"}
OUTPUT_KINDS = {"output", "reasoning", "outputAudio", "outputImage"}

rate = st.integers(0, 10**13)
stated_rates = st.builds(StatedRates, **{kind: st.one_of(st.none(), rate) for kind in StatedRates._fields})


@st.composite
def usages(draw: st.DrawFn) -> TokenUsage:
    input_tokens = draw(st.integers(0, TOKENS_PER_CALL_MAX))
    output_tokens = draw(st.integers(0, TOKENS_PER_CALL_MAX))
    cached = draw(st.integers(0, input_tokens))
    write = draw(st.integers(0, input_tokens - cached))
    return token_usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=write,
        cache_write_1h_tokens=draw(st.integers(0, write)),
        reasoning_tokens=draw(st.integers(0, output_tokens)),
        input_audio_tokens=draw(st.integers(0, input_tokens)),
        cached_audio_tokens=draw(st.integers(0, cached)),
        output_audio_tokens=draw(st.integers(0, output_tokens)),
        input_image_tokens=draw(st.integers(0, input_tokens)),
        output_image_tokens=draw(st.integers(0, output_tokens)),
        web_searches=draw(st.integers(0, 1000)),
    )


def book_of(periods: tuple[Period, ...], **marks: bool) -> PriceBook:
    model = ModelPrices("m", periods, **marks)
    return PriceBook(Catalogue({"p": ProviderPrices("p", (model,), {"m": 0}, {}, ())}))


def book_at(rates: TieredRates) -> PriceBook:
    return book_of((Period(BEGINNING_NS, {STANDARD: DaySlots((0,), (rates,))}),))


def priced(book: PriceBook, usage: TokenUsage, at_ns: int = 0, tier: str | None = None, batch: bool = False) -> Priced:
    answer = price(CallFacts("", "p", "m", None, "chat", usage, at_ns, tier, batch), book)
    assert isinstance(answer, Priced)
    return answer


def half_even(exact: Fraction) -> int:
    return round(exact)


@given(usages(), stated_rates)
def test_every_line_is_tokens_times_rate_rounded_once_and_the_cost_is_their_sum(
    usage: TokenUsage, stated: StatedRates
) -> None:
    answer = price(CallFacts("", "p", "m", None, "chat", usage, 0), book_at(flat(stated)))
    rates = filled(stated)
    exact = [
        half_even(Fraction(line.tokens * getattr(rates, RATE_OF[line.kind]), 1000))
        for line in (answer.lines if isinstance(answer, Priced) else ())
    ]
    if isinstance(answer, Unpriced):
        assert answer.reason == IMPLAUSIBLE_COST
        return
    assert [line.amount_pico for line in answer.lines] == exact
    assert answer.cost_pico == sum(exact)


@given(usages(), stated_rates)
def test_no_token_is_lost_or_billed_twice(usage: TokenUsage, stated: StatedRates) -> None:
    answer = price(CallFacts("", "p", "m", None, "chat", usage, 0), book_at(flat(stated)))
    if isinstance(answer, Unpriced):
        return
    by_kind = {line.kind: line.tokens for line in answer.lines}
    assert all(tokens > 0 for tokens in by_kind.values())
    assert sum(by_kind.get(kind, 0) for kind in INPUT_KINDS) == usage.input_tokens
    assert sum(by_kind.get(kind, 0) for kind in OUTPUT_KINDS) == usage.output_tokens
    assert by_kind.get("cached", 0) + by_kind.get("cachedAudio", 0) == usage.cached_input_tokens
    assert by_kind.get("cacheWrite5m", 0) + by_kind.get("cacheWrite1h", 0) == usage.cache_write_tokens


@given(usages(), stated_rates)
def test_prompt_savings_are_the_price_of_the_same_call_without_a_cache_minus_its_price(
    usage: TokenUsage, stated: StatedRates
) -> None:
    book = book_at(flat(stated))
    fresh = usage._replace(
        cached_input_tokens=0, cache_write_tokens=0, cache_write_1h_tokens=0, cached_audio_tokens=0,
        input_audio_tokens=0, input_image_tokens=0,
    )  # fmt: skip
    plain = usage._replace(input_audio_tokens=0, cached_audio_tokens=0, input_image_tokens=0)
    with_cache = price(CallFacts("", "p", "m", None, "chat", plain, 0), book)
    without = price(CallFacts("", "p", "m", None, "chat", fresh, 0), book)
    if isinstance(with_cache, Priced) and isinstance(without, Priced):
        assert with_cache.prompt_savings_pico == without.cost_pico - with_cache.cost_pico


def test_a_cached_prompt_by_hand() -> None:
    # Claude Sonnet 4.5: 3 USD in, 15 out, 0.30 cached, 3.75 written for five minutes, 6 for an hour, per million.
    stated = StatedRates(
        input=3 * 10**9, output=15 * 10**9, cached=3 * 10**8, cache_write_5m=3_750_000_000, cache_write_1h=6 * 10**9
    )
    usage = token_usage(
        input_tokens=10_000, cached_input_tokens=6_000, cache_write_tokens=3_000, cache_write_1h_tokens=1_000,
        output_tokens=500, reasoning_tokens=200,
    )  # fmt: skip
    answer = priced(book_at(flat(stated)), usage)
    assert answer.lines == (
        PriceLine("input", 1_000, 3 * 10**9, 3_000_000_000),
        PriceLine("cached", 6_000, 3 * 10**8, 1_800_000_000),
        PriceLine("cacheWrite5m", 2_000, 3_750_000_000, 7_500_000_000),
        PriceLine("cacheWrite1h", 1_000, 6 * 10**9, 6_000_000_000),
        PriceLine("output", 300, 15 * 10**9, 4_500_000_000),
        PriceLine("reasoning", 200, 15 * 10**9, 3_000_000_000),
    )
    assert answer.cost_pico == 25_800_000_000
    assert answer.prompt_savings_pico == 30_000_000_000 - 18_300_000_000


def test_writing_to_a_cache_that_is_not_read_costs_more_than_it_saves() -> None:
    stated = StatedRates(input=1000, output=0, cache_write_5m=1250)
    assert (
        priced(book_at(flat(stated)), token_usage(input_tokens=100, cache_write_tokens=100)).prompt_savings_pico == -25
    )


def test_an_unstated_rate_is_that_of_the_kind_it_is_part_of_and_a_stated_zero_is_free() -> None:
    assert filled(StatedRates(input=8, output=32)) == Rates(8, 8, 8, 8, 8, 8, 8, 32, 32, 32, 32, 0, 0)
    zero = filled(StatedRates(input=8, output=32, cached=0, reasoning=0, cache_write_5m=10))
    assert (zero.cached, zero.cached_audio, zero.reasoning, zero.cache_write_1h) == (0, 0, 0, 10)
    assert filled(StatedRates(input=8, input_audio=64)).cached_audio == 64


def test_a_long_prompt_reprices_every_token_of_the_call_from_the_first_above_the_threshold() -> None:
    low, high = StatedRates(input=3000, output=15_000), StatedRates(input=6000, output=22_500)
    book = book_at(TieredRates((200_000,), (filled(low), filled(high)), (low, high)))
    at = priced(book, token_usage(input_tokens=200_000, cached_input_tokens=199_000, output_tokens=10))
    above = priced(book, token_usage(input_tokens=200_001, cached_input_tokens=199_000, output_tokens=10))
    assert (at.cost_pico, at.tier) == (600_150, "standard")
    assert (above.cost_pico, above.tier) == (1_200_231, "standard>200000")


def test_each_period_batch_tier_and_hour_has_its_own_rates() -> None:
    hour = 3600 * 10**9
    cheap = DaySlots((0, 8 * hour), (flat(StatedRates(input=1000)), flat(StatedRates(input=2000))))
    dear = DaySlots((0,), (flat(StatedRates(input=9000)),))
    batch = DaySlots((0,), (flat(StatedRates(input=500)),))
    book = book_of(
        (
            Period(BEGINNING_NS, {STANDARD: cheap}),
            Period(48 * hour, {STANDARD: dear, Variant("", True): batch}),
        )
    )
    one = token_usage(input_tokens=1)
    instants = (0, 8 * hour - 1, 8 * hour, 24 * hour, 48 * hour - 1, 48 * hour)
    assert [priced(book, one, at).cost_pico for at in instants] == [1, 1, 2, 1, 2, 9]
    assert priced(book, one, 48 * hour, batch=True)[0] == 0
    assert priced(book, token_usage(input_tokens=3), 48 * hour, batch=True).cost_pico == 2
    assert priced(book, one, 48 * hour, tier="batch").tier == "batch"
    assert priced(book, one, 0, batch=True).flags == ("tierUnpriced",)
    assert priced(book, one, 48 * hour, tier="priority").flags == ("tierUnpriced",)
    assert priced(book, one, 48 * hour, tier="default").flags == ()


def test_parts_that_do_not_fit_their_total_are_cut_and_marked() -> None:
    usage = token_usage(input_tokens=10, cached_input_tokens=8, input_audio_tokens=5, input_image_tokens=4)
    answer = priced(book_at(flat(StatedRates(input=1000, input_audio=7000, output=0))), usage)
    assert [(line.kind, line.tokens) for line in answer.lines] == [("cached", 8), ("inputAudio", 2)]
    assert answer.flags == ("clamped",)


def test_searches_without_a_price_are_marked() -> None:
    usage = token_usage(input_tokens=1, web_searches=2)
    assert priced(book_at(flat(StatedRates(input=1000))), usage).flags == ("searchesUnpriced",)
    fee = priced(book_at(flat(StatedRates(input=1000, search=10**13, request=5 * 10**12))), usage)
    assert [line.kind for line in fee.lines] == ["input", "search", "request"]
    assert fee.cost_pico == 1 + 2 * 10**10 + 5 * 10**9


def test_a_cost_no_ledger_row_could_hold_is_unpriced() -> None:
    usage = token_usage(input_tokens=TOKENS_PER_CALL_MAX)
    answer = price(CallFacts("", "p", "m", None, "chat", usage, 0), book_at(flat(StatedRates(input=10**16))))
    assert isinstance(answer, Unpriced)
    assert answer.reason == IMPLAUSIBLE_COST


def test_usage_of_nothing_costs_nothing_where_the_model_is_known() -> None:
    assert priced(book_at(flat(StatedRates(input=1000))), TokenUsage()).cost_pico == 0


@pytest.mark.parametrize(("tokens", "pico"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)])
def test_half_a_pico_goes_to_the_even_neighbour(tokens: int, pico: int) -> None:
    assert priced(book_at(flat(StatedRates(input=500))), token_usage(input_tokens=tokens)).cost_pico == pico

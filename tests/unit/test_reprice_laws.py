"""An entry priced again by other rates is the entry those rates would have made at first."""

from hypothesis import given
from hypothesis import strategies as st
from repricing_world import NOW, NOW_NS

from finops.entries import entry_of, facts_of_entry, reversal
from finops.entry_terms import Terms, told, written
from finops.model_catalogue import Catalogue
from finops.postings import Posting
from finops.price_book import PriceBook
from finops.pricing import CallFacts, Priced, Unpriced, price
from finops.rates import OperatorRate, StatedRates
from finops.reprice import Changes, change, corrections, repriced
from finops.usage import TokenUsage
from ledger.catalogue import bundled_catalogue

CATALOGUE: Catalogue = bundled_catalogue()
MODELS = (
    "gpt-4o",
    "gpt-4o-mini-2024-07-18",
    "claude-sonnet-4-5",
    "gemini-2.5-pro",
    "nobody-knows",
    "ft:gpt-4o:acme::x",
)
counts = st.integers(0, 300_000)


def rate(version: int, model: str, femto: int, org: str) -> OperatorRate:
    return OperatorRate(
        version=version,
        org_id=org,
        provider="",
        model_id=model,
        ended=False,
        stated=StatedRates(input=femto, output=3 * femto, cached=femto // 3),
        dated=False,
        effective_from=NOW,
        created_at=NOW,
    )


@st.composite
def usages(draw: st.DrawFn) -> TokenUsage | None:
    """Any usage that adds up, and none."""
    cached, write, fresh, shown, thought = (draw(counts) for _ in range(5))
    usage = TokenUsage(
        input_tokens=cached + write + fresh,
        output_tokens=shown + thought,
        cached_input_tokens=cached,
        cache_write_tokens=write,
        cache_write_1h_tokens=draw(st.integers(0, write)),
        reasoning_tokens=thought,
        input_audio_tokens=draw(st.integers(0, fresh)),
        output_audio_tokens=draw(st.integers(0, shown)),
        web_searches=draw(st.integers(0, 3)),
    )
    return draw(st.sampled_from((usage, usage, usage, None)))


@st.composite
def postings(draw: st.DrawFn) -> Posting:
    """A call, or an answer from a response cache."""
    hit = draw(st.sampled_from((None, None, "semantic")))
    return Posting(
        "", bytes(16), bytes(8), NOW_NS, NOW_NS - draw(st.integers(0, 10**12)), draw(st.sampled_from(("acme", "beta"))),
        "", "clerk", "s", "", "", "shop", draw(st.sampled_from((None, "openai", "anthropic", "azure.ai.openai"))),
        draw(st.sampled_from((None, *MODELS))), draw(st.sampled_from((None, *MODELS))), "chat", 0 if hit else 1, 0, 0,
        draw(usages()), hit, draw(st.sampled_from((None, "priority"))), draw(st.booleans()), None,
        draw(st.sampled_from(((), ("clamped",), ("inclusiveAssumed", "partialUsage")))),
    )  # fmt: skip


@st.composite
def books(draw: st.DrawFn) -> PriceBook:
    """The catalogue under some operator rates."""
    named = draw(st.lists(st.tuples(st.sampled_from(MODELS), st.integers(0, 10**12), st.sampled_from(("", "acme")))))
    return PriceBook(CATALOGUE, operator_rates=[rate(at, *one) for at, one in enumerate(named, 1)])


@given(postings(), books(), books())
def test_pricing_again_is_pricing_at_first(posting: Posting, old: PriceBook, new: PriceBook) -> None:
    def by(book: PriceBook, facts: CallFacts) -> Priced | Unpriced:
        return price(facts, book)

    before = entry_of(posting, 1, lambda call: by(old, call))
    wanted = entry_of(posting, 1, lambda call: by(new, call))
    after = repriced(before, price(facts_of_entry(before), new), "run")
    if after is before:
        assert (before.measures, before.belongings) == (wanted.measures, wanted.belongings)
        return
    assert after.detail is not None
    assert after.detail.pop("repricedBy") == "run"
    assert after == wanted
    assert repriced(after, price(facts_of_entry(after), new), "again") is after


@given(st.lists(st.tuples(postings(), books(), books()), max_size=5))
def test_corrections_come_to_the_difference_that_was_shown(story: list[tuple[Posting, PriceBook, PriceBook]]) -> None:
    changes, appended, was = Changes(), 0, 0
    for posting, old, new in story:
        before = entry_of(posting, 1, lambda call, old=old: price(call, old))  # type: ignore[misc]
        after = repriced(before, price(facts_of_entry(before), new), "run")
        changes.add(before, after)
        found = corrections([(before, after)])
        assert [entry.revision for entry in found] in ([], [2, 3])
        assert found[:1] == ([] if after is before else [reversal(before, 2)])
        appended += sum(entry.measures.cost_pico or 0 for entry in found)
        was += change(before, after).before_pico
    assert appended == changes.total.after_pico - changes.total.before_pico
    assert was == changes.total.before_pico == sum(group.before_pico for group in changes.groups.values())


TEXT_ALONE = dict.fromkeys(("input_audio_tokens", "output_audio_tokens", "web_searches"), 0)


@given(postings(), books(), st.booleans())
def test_what_is_written_of_an_entry_is_the_entry(posting: Posting, book: PriceBook, text: bool) -> None:
    """The short way for calls of text comes to the same as the long one."""
    if text and posting.usage is not None:
        posting = posting._replace(usage=posting.usage._replace(**TEXT_ALONE))
    wanted = entry_of(posting, 1, lambda call: price(call, book))
    entry, lag, how = written(posting, 1, lambda call: price(call, book))
    if how is None:
        assert entry == wanted
        return
    assert entry.detail is None
    assert entry._replace(detail=told(Terms(lag, how.detail()), entry.measures, entry.event_ns)) == wanted


def test_a_call_of_text_takes_the_short_way() -> None:
    usage = TokenUsage(input_tokens=1000, output_tokens=10, cached_input_tokens=128)
    posting = Posting(
        "", bytes(16), bytes(8), NOW_NS, NOW_NS - 10**9, "acme", "", "clerk", "s", "", "", "shop", "openai", "gpt-4o",
        "gpt-4o-2024-08-06", "chat", 1, 0, 0, usage, None, None, False, None, (),
    )  # fmt: skip
    how = written(posting, 1, lambda call: price(call, PriceBook(CATALOGUE))).how
    assert how is not None
    assert [kind for kind, _ in how.rates] == ["input", "cached", "output"]

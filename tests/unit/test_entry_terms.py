"""What is kept of an entry's detail tells the whole of it again."""

from hypothesis import given
from hypothesis import strategies as st

from finops.entries import Measures
from finops.entry_terms import Terms, kept, told
from finops.money import amount_pico

TOKENS = st.integers(0, 10**7)
RATES = st.integers(0, 10**12)
EVENT_NS = 1_795_176_000_123_456_789


@st.composite
def priced(draw: st.DrawFn) -> tuple[Measures, dict[str, object]]:
    """A call of text and its detail, as prices make them; sometimes one that does not follow from its counts."""
    fresh, cached, written, written_1h, shown, reasoning = (draw(st.just(0) | TOKENS) for _ in range(6))
    measures = Measures(
        input_tokens=fresh + cached + written + written_1h,
        cached_input_tokens=cached,
        cache_write_tokens=written + written_1h,
        cache_write_1h_tokens=written_1h,
        output_tokens=shown + reasoning,
        reasoning_tokens=reasoning,
    )
    counts = {
        "input": fresh, "cached": cached, "cacheWrite5m": written, "cacheWrite1h": written_1h,
        "output": shown, "reasoning": reasoning, draw(st.sampled_from(["request", "search", "inputAudio"])): 1,
    }  # fmt: skip
    lines = []
    for kind, tokens in counts.items():
        if tokens:
            rate = draw(RATES)
            lines.append({"kind": kind, "tokens": tokens, "rateFemto": rate, "amountPico": amount_pico(tokens, rate)})
    start = draw(st.integers(0, EVENT_NS + 10**9)) // 1000 * 1000
    return measures, {"lines": lines, "startNs": start, "tier": "standard"}


@given(priced())
def test_a_detail_is_told_as_it_was(call: tuple[Measures, dict[str, object]]) -> None:
    measures, detail = call
    assert told(kept(detail, measures, EVENT_NS), measures, EVENT_NS) == detail


@given(priced(), TOKENS.filter(bool))
def test_lines_that_do_not_follow_from_the_counts_are_kept(call: tuple[Measures, dict[str, object]], more: int) -> None:
    measures, detail = call
    other = measures._replace(input_tokens=measures.input_tokens + more, output_tokens=measures.output_tokens + more)
    assert told(kept(detail, other, EVENT_NS), other, EVENT_NS) == detail


def test_a_call_of_text_keeps_nothing_that_differs_from_call_to_call() -> None:
    measures = Measures(input_tokens=1000, output_tokens=10)
    lines = [
        {"kind": "input", "tokens": 1000, "rateFemto": 2000, "amountPico": 2000},
        {"kind": "output", "tokens": 10, "rateFemto": 9000, "amountPico": 90},
    ]
    terms = kept({"startNs": EVENT_NS - 5_000_000, "lines": lines, "tier": "batch"}, measures, EVENT_NS)
    assert terms == Terms(5_000, {"tier": "batch", "rates": {"input": 2000, "output": 9000}})


def test_details_of_the_older_form_are_read_as_they_are() -> None:
    older = {"startNs": 17, "lines": [{"kind": "input", "tokens": 1, "rateFemto": 1, "amountPico": 0}]}
    assert told(Terms(None, older), Measures(input_tokens=5), EVENT_NS) == older
    assert told(Terms(None, None), Measures(), EVENT_NS) is None

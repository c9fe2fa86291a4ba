"""Every recording of a real instrumentation library comes to what the model server billed."""

import random

import pytest
from corpus_count import EXCEPTIONS, Outcome, batches, count, is_full
from corpus_loader import Scenario, scenarios

from finops.spans import SpanRecord


def shown(outcome: Outcome) -> str:
    keys = sorted({*outcome.expected, *outcome.got})
    pairs = ((key, outcome.expected.get(key, 0), outcome.got.get(key, 0)) for key in keys)
    return ", ".join(f"{key[0]} {key[1]}: billed {want}, got {have}" for key, want, have in pairs if want != have)


FULL = [s for s in scenarios() if is_full(s) and s.id not in EXCEPTIONS]
PARTIAL = [s for s in scenarios() if not is_full(s) and s.id not in EXCEPTIONS]


def test_the_recordings_are_there() -> None:
    assert len(FULL) > 500
    assert len(PARTIAL) > 100


@pytest.mark.parametrize("library", sorted({s.library for s in FULL}))
def test_what_spans_show_in_full_is_counted_exactly(library: str) -> None:
    wrong = [f"{s.id}: {shown(o)}" for s in FULL if s.library == library and not (o := count(s)).exact]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("library", sorted({s.library for s in PARTIAL}))
def test_what_spans_show_in_part_is_never_more_than_was_billed(library: str) -> None:
    wrong = [f"{s.id}: {shown(o)}" for s in PARTIAL if s.library == library and not (o := count(s)).within]
    assert not wrong, "\n".join(wrong)


def shuffled(scenario: Scenario, seed: int) -> list[list[SpanRecord]]:
    chance = random.Random(seed)
    spans = [record for batch in batches(scenario) for record in batch]
    chance.shuffle(spans)
    return [spans[at : at + 2] for at in range(0, len(spans), 2)]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_a_recordings_spans_changes_nothing(seed: int) -> None:
    chosen = random.Random(seed).sample(list(scenarios()), 150)
    wrong = [s.id for s in chosen if count(s, shuffled(s, seed)).got != count(s).got]
    assert not wrong


def test_an_exception_is_needed_by_its_recording() -> None:
    excused = [count(s) for s in scenarios() if s.id in EXCEPTIONS]
    assert len(excused) == len(EXCEPTIONS)
    assert not [o.scenario.id for o in excused if (o.exact if is_full(o.scenario) else o.within)]

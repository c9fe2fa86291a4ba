"""Who may come in, and that room is given back."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.admission import SPAN_BYTES_GUESSED, Admission, Full, Limits, Ticket

LIMITS = Limits(bytes=100, spans=10, requests=4, age_ns=1000)


class SetClock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def enter(admission: Admission, size: int, tenant: str = "acme") -> Ticket:
    ticket = admission.admit(tenant, size)
    assert isinstance(ticket, Ticket)
    return ticket


def test_the_house_is_full_by_bytes_spans_requests_and_age():
    clock = SetClock()
    admission = Admission(LIMITS, clock)
    enter(admission, 90)
    assert admission.admit("other", 11) == Full("bytes")
    first = enter(admission, 10, "other")
    first.hold_spans(10)
    assert admission.admit("third", 0) == Full("spans")
    first.hold_spans(1)
    enter(admission, 0, "third")
    enter(admission, 0, "fourth")
    assert admission.admit("fifth", 0) == Full("requests")
    first.leave()
    clock.now = 1001
    assert admission.admit("fifth", 0) == Full("age")


def test_an_export_is_taken_for_a_span_a_kibibyte_until_it_is_decoded():
    admission = Admission(LIMITS._replace(bytes=100_000), SetClock())
    ticket = enter(admission, 9 * SPAN_BYTES_GUESSED)
    assert admission.spans == 9
    assert admission.admit("acme", 1) == Full("share")
    ticket.hold_spans(2)
    assert admission.spans == 2
    enter(admission, 1)


def test_age_is_that_of_the_oldest_still_inside():
    clock = SetClock()
    admission = Admission(LIMITS, clock)
    assert admission.age_ns == 0
    oldest = enter(admission, 1)
    clock.now = 300
    enter(admission, 1)
    clock.now = 500
    assert admission.age_ns == 500
    oldest.leave()
    assert admission.age_ns == 200


def test_leaving_twice_gives_room_back_once():
    admission = Admission(LIMITS, SetClock())
    other, ticket = enter(admission, 40), enter(admission, 35)
    ticket.hold_spans(3)
    ticket.leave()
    ticket.leave()
    assert (admission.bytes, admission.spans, admission.requests) == (40, 1, 1)
    other.leave()
    assert (admission.bytes, admission.requests) == (0, 0)


def test_spans_found_after_leaving_hold_no_room():
    admission = Admission(LIMITS, SetClock())
    ticket = enter(admission, 1)
    ticket.leave()
    ticket.hold_spans(5)
    assert admission.spans == 0


def test_a_drain_lets_nobody_in():
    admission = Admission(LIMITS, SetClock())
    inside = enter(admission, 1)
    admission.close()
    assert admission.refusal("acme") == Full("draining")
    inside.leave()
    assert admission.requests == 0


def test_the_last_quarter_is_for_others():
    admission = Admission(LIMITS, SetClock())
    enter(admission, 60, "loud")
    assert admission.admit("loud", 20) == Full("share")
    enter(admission, 20, "quiet")
    enter(admission, 10, "quiet")
    assert admission.admit("loud", 10) == Full("share")


@pytest.mark.parametrize("kind", ["bytes", "spans", "requests"])
def test_one_flood_leaves_room_for_whoever_has_nothing_inside(kind: str):
    admission = Admission(Limits(bytes=1000, spans=100, requests=100, age_ns=1000), SetClock())
    size, spans = {"bytes": (50, 0), "spans": (0, 5), "requests": (0, 0)}[kind]
    while isinstance(ticket := admission.admit("loud", size), Ticket):
        ticket.hold_spans(spans)
    assert ticket == Full("share")
    enter(admission, 50, "quiet").hold_spans(5)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 60), st.integers(0, 6), st.booleans()), max_size=40
    )
)
def test_the_limits_hold_whatever_comes_and_everything_given_is_given_back(steps: list[tuple[str, int, int, bool]]):
    admission = Admission(LIMITS, SetClock())
    inside: list[Ticket] = []
    for tenant, size, spans, leaves in steps:
        entered = admission.admit(tenant, size)
        if isinstance(entered, Ticket):
            inside.append(entered)
            entered.hold_spans(spans)
        assert admission.bytes <= LIMITS.bytes
        assert admission.requests <= LIMITS.requests
        assert admission.bytes == sum(ticket.bytes for ticket in inside)
        assert admission.spans == sum(ticket.spans for ticket in inside)
        if leaves and inside:
            inside.pop(0).leave()
    for ticket in inside:
        ticket.leave()
    assert (admission.bytes, admission.spans, admission.requests, admission.age_ns) == (0, 0, 0, 0)
    assert admission.refusal("a", LIMITS.bytes) is None


@pytest.mark.parametrize("tenants", [2, 3])
def test_shares_are_equal_beyond_three_quarters(tenants: int):
    limits = Limits(bytes=1200, spans=10_000, requests=10_000, age_ns=1000)
    admission = Admission(limits, SetClock())
    held: Counter[str] = Counter()
    for turn in range(3000):
        tenant = f"t{turn % tenants}"
        held[tenant] += 10 * isinstance(admission.admit(tenant, 10), Ticket)
    assert admission.bytes == 900
    assert max(held.values()) - min(held.values()) <= 10

"""Who may come in, and that room is given back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.admission import Admission, Full, Limits, Ticket

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
    assert admission.admit("acme", 11) == Full("bytes")
    first = enter(admission, 10)
    first.hold_spans(10)
    assert admission.admit("acme", 0) == Full("spans")
    first.hold_spans(9)
    enter(admission, 0)
    enter(admission, 0)
    assert admission.admit("acme", 0) == Full("requests")
    first.leave()
    clock.now = 1001
    assert admission.admit("acme", 0) == Full("age")


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
    other, ticket = enter(admission, 40), enter(admission, 50)
    ticket.hold_spans(3)
    ticket.leave()
    ticket.leave()
    assert (admission.bytes, admission.spans, admission.requests) == (40, 0, 1)
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


def test_one_tenant_may_fill_an_empty_house_but_not_crowd_out_a_second():
    admission = Admission(LIMITS, SetClock())
    enter(admission, 60, "loud")
    enter(admission, 20, "quiet")
    assert admission.admit("loud", 10) == Full("share")
    enter(admission, 20, "quiet")


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
def test_shares_are_equal_beyond_half_full(tenants: int):
    limits = Limits(bytes=1200, spans=1000, requests=1000, age_ns=1000)
    admission = Admission(limits, SetClock())
    for turn in range(3000):
        admission.admit(f"t{turn % tenants}", 10)
    assert admission.bytes == 1200

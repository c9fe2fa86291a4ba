"""Who may come in, and that room is given back."""

from collections import Counter

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


def enter(admission: Admission, size: int, tenant: str = "acme", spans: int = 1) -> Ticket:
    ticket = admission.admit(tenant, size, spans)
    assert isinstance(ticket, Ticket)
    return ticket


def test_the_house_is_full_by_bytes_spans_requests_and_age():
    clock = SetClock()
    admission = Admission(LIMITS, clock)
    first = enter(admission, 60)
    assert admission.admit("other", 41) == Full("bytes")
    enter(admission, 10, "other", 2)
    first.hold_spans(2)
    enter(admission, 0, "third")
    assert admission.admit("fourth", 0) == Full("share"), "the last place stays free"
    one = Admission(LIMITS._replace(requests=1), clock)
    enter(one, 0)
    assert one.admit("other", 0) == Full("requests")
    few = Admission(LIMITS._replace(requests=100), clock)
    for number in range(9):
        few.admit(f"tenant {number}", 0, 1)
    assert few.admit("late", 0, 2) == Full("spans")
    first.leave()
    clock.now = 1001
    assert admission.admit("other", 0) == Full("age")
    enter(admission, 0, "fourth")


def test_an_export_is_taken_for_the_spans_it_seems_to_hold_until_it_is_decoded():
    admission = Admission(LIMITS._replace(spans=100), SetClock())
    ticket = enter(admission, 9, spans=9)
    assert admission.spans == 9
    ticket.hold_spans(2)
    assert admission.spans == 2


def test_more_spans_than_an_export_seemed_to_hold_may_be_too_many():
    admission = Admission(Limits(bytes=10**6, spans=90, requests=100, age_ns=1000), SetClock())
    tickets = [enter(admission, 1) for _ in range(20)]
    answers = [ticket.hold_spans(20) for ticket in tickets]
    assert set(answers[:2]) == {None}
    assert answers[-1] == Full("share")
    assert admission.spans <= 60
    enter(admission, 1, "quiet", 10)
    alone = Admission(Limits(bytes=100, spans=90, requests=100, age_ns=1000), SetClock())
    assert enter(alone, 1).hold_spans(10**6) is None


def test_of_exports_larger_than_the_house_there_is_one_inside():
    admission = Admission(Limits(bytes=10**6, spans=90, requests=100, age_ns=1000), SetClock())
    giant = enter(admission, 1, "a", 1000)
    assert admission.admit("b", 1, 1000) == Full("spans")
    seemed_small = enter(admission, 1, "b", 1)
    assert seemed_small.hold_spans(1000) == Full("spans")
    enter(admission, 1, "b", 90)
    giant.leave()
    assert seemed_small.hold_spans(1000) is None


def test_an_export_not_yet_read_is_taken_for_the_mean_of_its_senders_exports_inside():
    admission = Admission(LIMITS, SetClock())
    first = enter(admission, 40)
    assert admission.refusal("acme", 1) is None, "a small one would come in"
    assert admission.refusal("acme") == Full("share"), "but it will be like the other"
    assert admission.refusal("other") is None
    first.leave()
    assert admission.refusal("acme") is None


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
    other, ticket = enter(admission, 40), enter(admission, 20)
    ticket.hold_spans(2)
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


def test_a_tenant_holds_twice_what_it_leaves_free():
    admission = Admission(LIMITS, SetClock())
    enter(admission, 60, "loud")
    assert admission.admit("loud", 7) == Full("share")
    enter(admission, 6, "loud")


@pytest.mark.parametrize("kind", ["bytes", "spans", "requests"])
@pytest.mark.parametrize("floods", [1, 2, 3, 10, 30])
def test_floods_leave_room_for_whoever_has_nothing_inside(kind: str, floods: int):
    admission = Admission(Limits(bytes=10_000, spans=10_000, requests=10_000, age_ns=1000), SetClock())
    size, spans = {"bytes": (30, 0), "spans": (0, 30), "requests": (0, 0)}[kind]
    open_to = {f"loud {number}" for number in range(floods)}
    while open_to:
        for tenant in sorted(open_to):
            entered = admission.admit(tenant, size, spans)
            if isinstance(entered, Full):
                assert entered == Full("share")
                open_to.discard(tenant)
    enter(admission, 80, "quiet", 80)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 60), st.integers(0, 30), st.booleans()), max_size=40
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
        assert admission.spans <= LIMITS.spans
        assert admission.bytes == sum(ticket.bytes for ticket in inside)
        assert admission.spans == sum(ticket.spans for ticket in inside)
        if leaves and inside:
            inside.pop(0).leave()
    for ticket in inside:
        ticket.leave()
    assert (admission.bytes, admission.spans, admission.requests, admission.age_ns) == (0, 0, 0, 0)
    assert admission.refusal("a", LIMITS.bytes) is None


@pytest.mark.parametrize("tenants", [1, 2, 3, 10])
def test_floods_share_equally_and_leave_one_part_in_twice_their_number_and_one(tenants: int):
    admission = Admission(Limits(bytes=21_000, spans=10_000, requests=10_000, age_ns=1000), SetClock())
    held: Counter[str] = Counter()
    for turn in range(6000):
        tenant = f"t{turn % tenants}"
        held[tenant] += 10 * isinstance(admission.admit(tenant, 10, 0), Ticket)
    assert abs(21_000 - admission.bytes - 21_000 / (2 * tenants + 1)) <= 10 * tenants
    assert max(held.values()) - min(held.values()) <= 10

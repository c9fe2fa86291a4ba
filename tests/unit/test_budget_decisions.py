"""Where a budget stands, what it says of the next call, and when it will be used up."""

from datetime import timedelta
from decimal import Decimal

import pytest
from budget_world import NOW, USD, a_budget
from hypothesis import given
from hypothesis import strategies as st

from finops.budget_decisions import Estimate, Reason, decide, opinion
from finops.budget_pace import Exhaustion, exhaustion
from finops.budget_periods import PeriodRule, Unit, period_at
from finops.budgets import Budget, BudgetScope, Caller, Dimension, Mode, Spend, Standing, State, Verdict

MONTH = PeriodRule(Unit.MONTH)


def standing(spend: Spend, budget: Budget | None = None) -> Standing:
    stated = budget or a_budget(10)
    return Standing(stated, "", period_at(stated.rule, NOW), stated.limit_at(NOW), spend)


@pytest.mark.parametrize(
    ("spend", "state"),
    [
        (Spend(), State.OK),
        (Spend(5 * USD - 1, 3), State.OK),
        (Spend(5 * USD, 3), State.WARNING),
        (Spend(10 * USD, 3), State.EXCEEDED),
        (Spend(0, 3, 1), State.UNKNOWN),
        (Spend(9 * USD, 3, 1), State.UNKNOWN),
        (Spend(10 * USD, 3, 1), State.EXCEEDED),
        (Spend(0, 0, 0, complete=False), State.UNKNOWN),
    ],
)
def test_an_unpriced_call_makes_the_state_unknown_and_never_ok(spend: Spend, state: State) -> None:
    found = standing(spend)
    assert found.state is state
    assert (found.remaining_pico is None) == (state is State.UNKNOWN)


@given(st.integers(0, 20 * USD), st.integers(1, 50), st.integers(0, 5))
def test_unpriced_calls_are_never_called_ok(cost: int, calls: int, unpriced: int) -> None:
    found = standing(Spend(cost, calls, unpriced))
    assert (found.state in (State.OK, State.WARNING)) <= (unpriced == 0)
    assert (opinion(found, Estimate()).verdict is Verdict.ALLOW) <= (unpriced == 0)


@pytest.mark.parametrize(
    ("spend", "estimate", "mode", "verdict", "reason"),
    [
        (Spend(1 * USD, 1), 0, Mode.ENFORCE, Verdict.ALLOW, Reason.WITHIN),
        (Spend(8 * USD, 1), 0, Mode.ENFORCE, Verdict.WARN, Reason.THRESHOLD),
        (Spend(8 * USD, 1), 2 * USD, Mode.ENFORCE, Verdict.WARN, Reason.THRESHOLD),
        (Spend(8 * USD, 1), 2 * USD + 1, Mode.ENFORCE, Verdict.DENY, Reason.ESTIMATE),
        (Spend(10 * USD, 1), 0, Mode.ENFORCE, Verdict.DENY, Reason.LIMIT),
        (Spend(10 * USD, 1), 0, Mode.WARN, Verdict.WARN, Reason.LIMIT),
        (Spend(1 * USD, 2, 1), 0, Mode.ENFORCE, Verdict.WARN, Reason.UNKNOWN_SPEND),
        (Spend(1 * USD, 2), None, Mode.ENFORCE, Verdict.WARN, Reason.UNKNOWN_ESTIMATE),
        (Spend(11 * USD, 2, 1), 0, Mode.ENFORCE, Verdict.DENY, Reason.LIMIT),
    ],
)
def test_what_a_budget_says(spend: Spend, estimate: int | None, mode: Mode, verdict: Verdict, reason: Reason) -> None:
    found = opinion(standing(spend, a_budget(10, mode=mode)), Estimate(estimate))
    assert (found.verdict, found.reason) == (verdict, reason)


@pytest.mark.parametrize("policy", list(Verdict))
def test_what_an_unknown_spend_means_is_for_the_operator_to_say(policy: Verdict) -> None:
    budget = a_budget(10, mode=Mode.ENFORCE, on_unknown=policy)
    assert opinion(standing(Spend(0, 1, 1), budget), Estimate()).verdict is policy
    warns = budget._replace(mode=Mode.WARN)
    assert opinion(standing(Spend(0, 1, 1), warns), Estimate()).verdict is not Verdict.DENY


def test_the_strictest_budget_counts_and_shadows_only_tell() -> None:
    enforced = standing(Spend(8 * USD, 1), a_budget(10, mode=Mode.ENFORCE))
    shadow = standing(Spend(12 * USD, 1), a_budget(10, mode=Mode.SHADOW))
    found = decide([enforced, shadow], Estimate())
    assert (found.verdict, found.shadow_verdict) == (Verdict.WARN, Verdict.DENY)
    assert found.remaining_pico == 2 * USD
    assert found.resets_at == enforced.span.end
    assert [one.verdict for one in found.opinions] == [Verdict.DENY, Verdict.WARN]


def test_without_a_budget_everything_is_allowed_and_nothing_is_known_to_be_left() -> None:
    found = decide([], Estimate())
    assert (found.verdict, found.remaining_pico, found.resets_at) == (Verdict.ALLOW, None, None)


def test_a_caller_counts_where_every_dimension_holds() -> None:
    scope = BudgetScope(org=("acme",), agent=("clerk", "cook"), user=("",))
    assert scope.holds(Caller("acme", agent="cook"))
    assert not scope.holds(Caller("acme", agent="cook", user="ann"))
    assert not scope.holds(Caller("other", agent="cook"))
    budget = a_budget(10, each=Dimension.USER)
    assert budget.member_of(Caller(user="ann")) == "ann"
    assert budget.scope_of("ann") == BudgetScope(user=("ann",))


@pytest.mark.parametrize(
    ("spend", "rule", "status", "day"),
    [
        (Spend(10 * USD, 9), MONTH, "exceeded", None),
        (Spend(1 * USD, 9, 1), MONTH, "unknown", None),
        (Spend(1 * USD, 2), MONTH, "insufficientHistory", None),
        (Spend(0, 0), MONTH, "insufficientHistory", None),
        (Spend(2 * USD, 9), PeriodRule(Unit.QUARTER), "ok", None),
        (Spend(8 * USD, 9), MONTH, "ok", 25),
        (Spend(1 * USD, 9), PeriodRule(Unit.ROLLING, rolling_hours=3), "rollingWindow", None),
    ],
)
def test_when_a_budget_will_be_used_up(spend: Spend, rule: PeriodRule, status: str, day: int | None) -> None:
    found = exhaustion(standing(spend, a_budget(10, rule)), NOW)
    assert found.status == status
    assert (found.exhausts_at.day if found.exhausts_at else None) == day
    assert (found.projected_pico is not None) == (status == "ok")


def test_nothing_is_predicted_from_the_first_hours_of_a_month() -> None:
    budget = a_budget(10, MONTH)
    early = NOW.replace(day=2)
    found = exhaustion(Standing(budget, "", period_at(MONTH, early), budget.limit_pico, Spend(USD, 100)), early)
    assert found == Exhaustion("insufficientHistory")


@given(st.integers(1, 10 * USD - 1), st.integers(4, 29))
def test_a_steady_pace_is_extended_exactly(cost: int, day: int) -> None:
    budget, now = a_budget(10, MONTH), NOW.replace(day=day)
    span = period_at(MONTH, now)
    found = exhaustion(Standing(budget, "", span, budget.limit_pico, Spend(cost, 9)), now)
    assert found.status == "ok"
    assert found.projected_pico is not None
    share = Decimal((now - span.start) / timedelta(days=30))
    assert abs(Decimal(found.projected_pico) - cost / share) <= Decimal(cost) / 10**9 + 1
    assert (found.exhausts_at is not None) == (found.projected_pico > budget.limit_pico)
    assert found.exhausts_at is None or now <= found.exhausts_at < span.end

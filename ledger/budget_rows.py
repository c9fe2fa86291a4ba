"""Budgets and told thresholds as rows, both directions side by side."""

from collections.abc import Sequence
from typing import Any

from finops.alerts import BUDGET, alert_key
from finops.budget_periods import PeriodRule, Unit
from finops.budget_thresholds import Firing
from finops.budgets import Budget, BudgetScope, Dimension, Mode, Raise, Verdict
from ledger.audit import json_text


def budget_values(budget: Budget) -> dict[str, object]:
    """A budget as the statements name it."""
    rule, raised = budget.rule, budget.raised
    scope = {name: values for name, values in budget.scope._asdict().items() if values is not None}
    return {
        "budget_id": budget.budget_id,
        "name": budget.name,
        "scope": json_text(scope),
        "each": None if budget.each is None else budget.each.value,
        "unit": rule.unit.value,
        "zone": rule.zone,
        "week_starts_on": rule.week_starts_on,
        "rolling_hours": rule.rolling_hours,
        "limit_pico": budget.limit_pico,
        "thresholds": list(budget.thresholds),
        "mode": budget.mode.value,
        "on_unknown": budget.on_unknown.value,
        "raised_pico": None if raised is None else raised.limit_pico,
        "raised_since": None if raised is None else raised.since,
        "raised_until": None if raised is None else raised.until,
        "counted_since": budget.counted_since,
        "created_at": budget.created_at,
        "updated_at": budget.updated_at,
        "updated_by": budget.updated_by,
    }


def budget_from(row: Sequence[Any]) -> Budget:
    """The budget of a row."""
    budget_id, name, scope, each, unit, zone, week, hours, limit, thresholds, mode, on_unknown = row[:12]
    pico, since, until, counted_since, created_at, updated_at, updated_by, number = row[12:]
    return Budget(
        budget_id=budget_id,
        name=name,
        scope=BudgetScope(**{name: tuple(values) for name, values in scope.items()}),
        each=None if each is None else Dimension(each),
        rule=PeriodRule(Unit(unit), zone, week, hours),
        limit_pico=int(limit),
        thresholds=tuple(thresholds),
        mode=Mode(mode),
        on_unknown=Verdict(on_unknown),
        raised=None if pico is None else Raise(int(pico), since, until),
        counted_since=counted_since,
        created_at=created_at,
        updated_at=updated_at,
        updated_by=updated_by,
        number=number,
    )


def firing_from(row: Sequence[Any]) -> Firing:
    """The told threshold of a row."""
    member, period_start, threshold, limit, spent, fired_at, cleared_at = row
    return Firing(member, period_start, threshold, int(limit), int(spent), fired_at, cleared_at)


def firing_values(budget: Budget, firing: Firing) -> dict[str, object]:
    """A told threshold as the statements name it."""
    return {"budget_id": budget.budget_id, **firing._asdict()}


def firing_key(budget: Budget, firing: Firing) -> str:
    """The key of the alert that tells of it; the same as long as it stands."""
    start = firing.period_start.isoformat()
    return alert_key(BUDGET, budget.budget_id, firing.member, str(firing.threshold), start, str(firing.limit_pico))

"""What people are told when a budget's threshold is reached."""

from datetime import datetime

from finops.alerts import BUDGET, Alert, Severity
from finops.budget_periods import Span
from finops.budget_thresholds import Firing
from finops.budgets import HUNDREDTHS, Budget, Dimension
from finops.money import usd
from ledger.budget_rows import firing_key


def alert_of(budget: Budget, firing: Firing, span: Span) -> Alert:
    """The alert of a threshold: critical where the whole limit is used up."""
    percent = f"{firing.threshold / 100:g} %"
    whose = f" of {budget.each.value} {firing.member or '(not said)'}" if budget.each is not None else ""
    spent, limit = usd(firing.spent_pico), usd(firing.limit_pico)
    when = "in its rolling window" if budget.rule.rolls else f"in the {budget.rule.unit} since {_told(span.start)}"
    return Alert(
        key=firing_key(budget, firing),
        kind=BUDGET,
        severity=Severity.CRITICAL if firing.threshold >= HUNDREDTHS else Severity.WARNING,
        org_id=_only(budget, Dimension.ORG, firing),
        agent_id=_only(budget, Dimension.AGENT, firing),
        title=f"Budget {budget.name}{whose}: {percent} reached",
        summary=f"{spent:f} of {limit:f} USD spent {when}{whose}; the budget is {budget.name}.",
        labels={
            "budgetId": budget.budget_id,
            "threshold": f"{firing.threshold / 100:g}",
            **({f"{budget.each.value}Id": firing.member} if budget.each is not None and firing.member else {}),
        },
        figures={
            "spentUsd": spent,
            "limitUsd": limit,
            "periodStart": _told(span.start),
            "periodEnd": None if budget.rule.rolls else _told(span.end),
        },
    )


def _only(budget: Budget, dimension: Dimension, firing: Firing) -> str:
    """The one organisation, or agent, that the alert is about; '' where there are several."""
    if budget.each is dimension:
        return firing.member
    values = getattr(budget.scope, dimension.value)
    return values[0] if values is not None and len(values) == 1 else ""


def _told(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")

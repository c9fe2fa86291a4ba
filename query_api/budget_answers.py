"""The JSON objects about budgets: as they are stated, where they stand, and what they say of the next call."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from finops.budget_decisions import Decision, Opinion
from finops.budget_pace import Exhaustion, exhaustion
from finops.budget_periods import WEEKDAYS
from finops.budgets import Budget, Raise, Standing
from finops.ratios import plain
from query_api.budget_bodies import FIELDS
from query_api.paging import page_of
from query_api.preconditions import half
from query_api.shapes import ANY, COUNT, FLAG, INSTANT, MONEY, NUMBER, TEXT, Field, Kind, Shape, field
from query_api.wire import number

_PERCENTS = Kind(
    lambda found: [number(plain(Decimal(one) / 100)) for one in found], {"type": "array", "items": {"type": "number"}}
)


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class StoodBudget(NamedTuple):
    """A budget and where its members stand, the worst first."""

    budget: Budget
    standings: Sequence[Standing]
    members: Sequence[Standing]
    """Those that are told one by one."""
    now: datetime

    @property
    def status(self) -> "Status":
        """The member that stands worst."""
        return Status(self.standings[0], self.now)

    @property
    def statuses(self) -> "list[Status]":
        """Members one by one."""
        return [Status(one, self.now) for one in self.members]

    @property
    def raised(self) -> Raise | None:
        """The raise that holds or will; one that is over is no longer told."""
        raised = self.budget.raised
        return raised if raised is not None and raised.until > self.now else None


class Status(NamedTuple):
    """Where one member stands now."""

    standing: Standing
    now: datetime

    @property
    def exhaustion(self) -> Exhaustion:
        """What is to be expected."""
        return exhaustion(self.standing, self.now)


class ToldDecision(NamedTuple):
    """A decision and what it rests on."""

    decision: Decision
    """Of it only the opinions that may be told."""
    reason: str
    """Of the strictest budget that counts, told or not."""
    estimate_pico: int | None
    as_of: datetime
    opinions_max: int = 100

    @property
    def opinions(self) -> Sequence[Opinion]:
        """The strictest, as many as are told."""
        return self.decision.opinions[: self.opinions_max]


EXHAUSTION = Shape(
    "BudgetForecast",
    (
        field("status", TEXT, "status"),
        field("exhaustsAt", INSTANT, "exhausts_at", nullable=True),
        field("projectedUsd", MONEY, "projected_pico", nullable=True),
        Field("estimate", FLAG, lambda _: True),
    ),
)
STATUS = Shape(
    "BudgetStatus",
    (
        field("member", TEXT, "standing.member"),
        field("state", TEXT, "standing.state"),
        field("limitUsd", MONEY, "standing.limit_pico"),
        field("spentUsd", MONEY, "standing.spend.told_pico", nullable=True),
        field("remainingUsd", MONEY, "standing.remaining_pico", nullable=True),
        field("percentUsed", NUMBER, "standing.percent"),
        field("calls", COUNT, "standing.spend.calls"),
        field("unpricedCalls", COUNT, "standing.spend.unpriced_calls"),
        field("complete", FLAG, "standing.spend.complete"),
        field("thresholdsReached", _PERCENTS, "standing.reached"),
        field("periodStart", INSTANT, "standing.span.start"),
        field("periodEnd", INSTANT, "standing.resets_at", nullable=True),
        field("forecast", EXHAUSTION, "exhaustion"),
    ),
)
RAISE = Shape(
    "BudgetRaise",
    (
        field("limitUsd", MONEY, "limit_pico"),
        field("since", INSTANT, "since"),
        field("until", INSTANT, "until"),
    ),
)


def _scope(row: StoodBudget) -> dict[str, object]:
    scope = row.budget.scope._asdict()
    return {name: scope[dimension.value] for dimension, name in FIELDS.items() if scope[dimension.value] is not None}


BUDGET = Shape(
    "Budget",
    (
        field("budgetId", TEXT, "budget.budget_id"),
        field("name", TEXT, "budget.name"),
        Field("scope", ANY, _scope),
        Field("each", TEXT, lambda row: FIELDS[row.budget.each] if row.budget.each else "", nullable=True),
        field("period", TEXT, "budget.rule.unit"),
        field("tz", TEXT, "budget.rule.zone"),
        Field("weekStartsOn", TEXT, lambda row: WEEKDAYS[row.budget.rule.week_starts_on]),
        Field("rollingHours", COUNT, lambda row: row.budget.rule.rolling_hours or None, nullable=True),
        field("limitUsd", MONEY, "budget.limit_pico"),
        field("thresholds", _PERCENTS, "budget.thresholds"),
        field("mode", TEXT, "budget.mode"),
        field("onUnknown", TEXT, "budget.on_unknown"),
        field("raise", RAISE, "raised", nullable=True),
        field("createdAt", INSTANT, "budget.created_at"),
        field("updatedAt", INSTANT, "budget.updated_at"),
        field("updatedBy", TEXT, "budget.updated_by"),
        field("status", STATUS, "status"),
        Field("memberCount", COUNT, lambda row: len(row.standings) if row.budget.each else 0),
        field("members", STATUS, "statuses", many=True),
    ),
)
BUDGETS = page_of("Budgets", BUDGET)
_OF_THE_MOMENT = {"status", "memberCount", "members", "raise"}
_STATED = Shape("StatedBudget", tuple(one for one in BUDGET.fields if one.name not in _OF_THE_MOMENT))


def budget_tag(budget: Budget) -> str:
    """The tag of what is stated, without quotes; where the budget stands is left out."""
    stated = _STATED.render(StoodBudget(budget, (), (), _LONG_AGO))
    return half(stated | {"raise": None if budget.raised is None else RAISE.render(budget.raised)})


OPINION = Shape(
    "BudgetOpinion",
    (
        field("budgetId", TEXT, "standing.budget.budget_id"),
        field("name", TEXT, "standing.budget.name"),
        field("member", TEXT, "standing.member"),
        field("decision", TEXT, "verdict"),
        field("reason", TEXT, "reason"),
        field("shadow", FLAG, "shadow"),
        field("state", TEXT, "standing.state"),
        field("limitUsd", MONEY, "standing.limit_pico"),
        field("spentUsd", MONEY, "standing.spend.told_pico", nullable=True),
        field("remainingUsd", MONEY, "standing.remaining_pico", nullable=True),
        field("percentUsed", NUMBER, "standing.percent"),
        field("unpricedCalls", COUNT, "standing.spend.unpriced_calls"),
        field("resetAt", INSTANT, "standing.resets_at", nullable=True),
    ),
)
DECISION = Shape(
    "BudgetDecision",
    (
        field("decision", TEXT, "decision.verdict"),
        field("reason", TEXT, "reason"),
        field("shadowDecision", TEXT, "decision.shadow_verdict"),
        field("estimatedUsd", MONEY, "estimate_pico", nullable=True),
        field("remainingUsd", MONEY, "decision.remaining_pico", nullable=True),
        field("resetAt", INSTANT, "decision.resets_at", nullable=True),
        field("asOf", INSTANT, "as_of"),
        field("budgets", OPINION, "opinions", many=True),
    ),
)

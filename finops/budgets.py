"""What a budget is: whose calls it counts, over which period, up to how much, and where it stands.

Amounts are whole pico-USD, percentages whole hundredths of a percent. Where a call in scope has no price, the spend is
not known, and so is whether the budget is kept: such a budget is ``unknown``, unless the priced calls alone exceed it.
Empty text means: not said, as in the ledger.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from finops.budget_periods import PeriodRule, Span
from finops.ratios import decimal_of

THRESHOLDS_DEFAULT = (5_000, 8_000, 10_000)
THRESHOLDS_MAX = 10
HUNDREDTHS = 10_000
"""The whole: 100 % in hundredths of a percent."""
THRESHOLD_MAX = 10 * HUNDREDTHS


class Dimension(StrEnum):
    """What calls can be told apart by. The values are stored with budgets, and are the fields of ``Caller``."""

    ORG = "org"
    TEAM = "team"
    AGENT = "agent"
    MODEL = "model"
    ENVIRONMENT = "environment"
    SESSION = "session"
    USER = "user"


class Mode(StrEnum):
    """What a used up budget does to a decision."""

    ENFORCE = "enforce"
    """Deny."""
    WARN = "warn"
    SHADOW = "shadow"
    """Nothing; what it would have done is told beside."""


class Verdict(StrEnum):
    """What to do, the mildest first."""

    ALLOW = "allow"
    WARN = "warn"
    DENY = "deny"

    @property
    def rank(self) -> int:
        """0 is the mildest."""
        return list(Verdict).index(self)


class State(StrEnum):
    """Where a budget stands, the mildest first."""

    OK = "ok"
    WARNING = "warning"
    """A threshold is reached."""
    UNKNOWN = "unknown"
    """Some call has no price, or the calls are no longer kept: the spend is at least what is told."""
    EXCEEDED = "exceeded"

    @property
    def rank(self) -> int:
        """0 is the mildest."""
        return list(State).index(self)


class Caller(NamedTuple):
    """Who is about to spend, in the names the ledger would write."""

    org: str = "default"
    team: str = ""
    agent: str = "unknown"
    model: str = ""
    environment: str = ""
    session: str = ""
    user: str = ""


class BudgetScope(NamedTuple):
    """Which calls count: of each dimension any of the values; None is all."""

    org: tuple[str, ...] | None = None
    team: tuple[str, ...] | None = None
    agent: tuple[str, ...] | None = None
    model: tuple[str, ...] | None = None
    environment: tuple[str, ...] | None = None
    session: tuple[str, ...] | None = None
    user: tuple[str, ...] | None = None

    def holds(self, caller: Caller) -> bool:
        """Whether the calls of ``caller`` count."""
        return all(values is None or name in values for values, name in zip(self, caller, strict=True))

    def of_member(self, each: Dimension, member: str) -> "BudgetScope":
        """The calls of one member only."""
        return self._replace(**{each.value: (member,)})


class Raise(NamedTuple):
    """Another limit, for a time."""

    limit_pico: int
    since: datetime
    until: datetime


class Budget(NamedTuple):
    """One budget as it stands."""

    budget_id: str
    name: str
    scope: BudgetScope
    each: Dimension | None
    """Every value of it has the whole limit to itself; None: all calls together."""
    rule: PeriodRule
    limit_pico: int
    thresholds: tuple[int, ...] = THRESHOLDS_DEFAULT
    """Hundredths of a percent, ascending."""
    mode: Mode = Mode.WARN
    on_unknown: Verdict = Verdict.WARN
    """What is decided while the spend is not known."""
    raised: Raise | None = None
    counted_since: datetime | None = None
    """When its scope, period or limit was stated: thresholds of periods that were over by then are not told."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    updated_by: str = ""
    number: int = 0
    """Newer budgets have higher numbers."""

    def limit_at(self, now: datetime) -> int:
        """The limit that holds, in pico-USD."""
        raised = self.raised
        return raised.limit_pico if raised is not None and raised.since <= now < raised.until else self.limit_pico

    def member_of(self, caller: Caller) -> str:
        """Whose limit the calls of ``caller`` count against; '' where all count together."""
        return "" if self.each is None else str(getattr(caller, self.each.value))

    def scope_of(self, member: str) -> BudgetScope:
        """The calls that count against the limit of ``member``."""
        return self.scope if self.each is None else self.scope.of_member(self.each, member)


class Spend(NamedTuple):
    """What was spent in a period."""

    cost_pico: int = 0
    """Of the priced calls."""
    calls: int = 0
    unpriced_calls: int = 0
    complete: bool = True
    """False where calls of the period are no longer kept and have not been summed by these names."""

    @property
    def known(self) -> bool:
        """Whether ``cost_pico`` is all of it."""
        return self.complete and self.unpriced_calls == 0

    @property
    def told_pico(self) -> int | None:
        """The priced sum; None where there are calls and not one has a price."""
        return None if self.calls > 0 and self.unpriced_calls >= self.calls else self.cost_pico


class Standing(NamedTuple):
    """Where one member of a budget stands in one period."""

    budget: Budget
    member: str
    span: Span
    limit_pico: int
    spend: Spend

    @property
    def state(self) -> State:
        """One word for it."""
        if self.spend.cost_pico >= self.limit_pico:
            return State.EXCEEDED
        if not self.spend.known:
            return State.UNKNOWN
        return State.WARNING if self.reached else State.OK

    @property
    def reached(self) -> tuple[int, ...]:
        """The thresholds that the priced spend has reached."""
        return tuple(one for one in self.budget.thresholds if reaches(self.spend.cost_pico, one, self.limit_pico))

    @property
    def remaining_pico(self) -> int | None:
        """Negative where too much was spent; None where that cannot be known."""
        over = self.spend.cost_pico >= self.limit_pico
        return self.limit_pico - self.spend.cost_pico if over or self.spend.known else None

    @property
    def percent(self) -> Decimal:
        """The priced spend in percent of the limit."""
        return decimal_of(Fraction(self.spend.cost_pico * 100, self.limit_pico))

    @property
    def resets_at(self) -> datetime | None:
        """When the next period begins; None for a rolling window."""
        return None if self.budget.rule.rolls else self.span.end


def reaches(cost_pico: int, threshold: int, limit_pico: int) -> bool:
    """Whether a spend has reached a threshold, which is in hundredths of a percent."""
    return cost_pico * HUNDREDTHS >= threshold * limit_pico


def standings(budget: Budget, span: Span, now: datetime, spends: Mapping[str, Spend]) -> list[Standing]:
    """Where every member stands that has spent; one that has not, where none has."""
    limit = budget.limit_at(now)
    found = dict(spends) or {"": Spend()}
    return [Standing(budget, member, span, limit, spend) for member, spend in found.items()]


class BudgetIndex:
    """Finds the budgets that count a caller without asking every one of them."""

    def __init__(self, budgets: Sequence[Budget]) -> None:
        self.budgets = tuple(budgets)
        self._of_all: list[Budget] = []
        self._by_name: dict[tuple[str, str], list[Budget]] = {}
        for budget in budgets:
            narrow = next((name for name in _NARROWEST if getattr(budget.scope, name) is not None), None)
            if narrow is None:
                self._of_all.append(budget)
            for value in dict.fromkeys(getattr(budget.scope, narrow) if narrow else ()):
                self._by_name.setdefault((narrow or "", value), []).append(budget)

    def of(self, caller: Caller) -> list[Budget]:
        """Every budget whose scope holds the caller, each once."""
        near = [budget for name in _NARROWEST for budget in self._by_name.get((name, getattr(caller, name)), ())]
        return self._of_all + [budget for budget in near if budget.scope.holds(caller)]


_NARROWEST = tuple(one.value for one in (
    Dimension.SESSION, Dimension.USER, Dimension.AGENT, Dimension.TEAM, Dimension.MODEL, Dimension.ENVIRONMENT,
    Dimension.ORG,
))  # fmt: skip

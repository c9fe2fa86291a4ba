"""May this call be made? The answer of every budget that counts the caller, and the strictest of them.

Advice, not a lock: what is being spent at this moment is known once its spans have arrived, so callers that ask at the
same time may together exceed a limit by what they have in flight.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from finops.budgets import Mode, Standing, State, Verdict


class Reason(StrEnum):
    """Why a budget answers as it does."""

    WITHIN = "withinBudget"
    THRESHOLD = "thresholdReached"
    LIMIT = "limitReached"
    ESTIMATE = "estimateExceedsLimit"
    UNKNOWN_SPEND = "unknownSpend"
    UNKNOWN_ESTIMATE = "unknownEstimate"


class Estimate(NamedTuple):
    """What the call about to be made may cost."""

    cost_pico: int | None = 0
    """0 where the caller did not say how many tokens; None where it did and they have no price."""


class Opinion(NamedTuple):
    """What one budget says."""

    standing: Standing
    verdict: Verdict
    reason: Reason

    @property
    def shadow(self) -> bool:
        """Whether it is only told and does not count."""
        return self.standing.budget.mode is Mode.SHADOW


class Decision(NamedTuple):
    """What all budgets together say."""

    verdict: Verdict
    shadow_verdict: Verdict
    """What it would be if budgets in shadow mode counted."""
    opinions: tuple[Opinion, ...]
    """The strictest first."""

    @property
    def counting(self) -> tuple[Opinion, ...]:
        """Those that are not in shadow mode."""
        return tuple(one for one in self.opinions if not one.shadow)

    @property
    def remaining_pico(self) -> int | None:
        """The least that is left anywhere; None without a budget, or where one does not know."""
        left = [one.standing.remaining_pico for one in self.counting]
        known = [amount for amount in left if amount is not None]
        return min(known) if known and len(known) == len(left) else None

    @property
    def resets_at(self) -> datetime | None:
        """When the last of the budgets that gave this verdict starts anew; None where one never does."""
        if self.verdict is Verdict.ALLOW:
            return None
        resets = [one.standing.resets_at for one in self.counting if one.verdict is self.verdict]
        known = [instant for instant in resets if instant is not None]
        return max(known) if known and len(known) == len(resets) else None


def decide(standings: Sequence[Standing], estimate: Estimate) -> Decision:
    """The strictest opinion counts; nobody's is needed to allow."""
    opinions = sorted((opinion(one, estimate) for one in standings), key=_strictness, reverse=True)
    counted = [one.verdict for one in opinions if not one.shadow]
    shown = [one.verdict for one in opinions]
    return Decision(_strictest(counted), _strictest(shown), tuple(opinions))


def opinion(standing: Standing, estimate: Estimate) -> Opinion:
    """What one budget says of a call that costs ``estimate`` more."""
    budget, spent = standing.budget, standing.spend.cost_pico
    over = Verdict.WARN if budget.mode is Mode.WARN else Verdict.DENY
    unknown = min(budget.on_unknown, over, key=lambda verdict: verdict.rank)
    if standing.state is State.EXCEEDED:
        return Opinion(standing, over, Reason.LIMIT)
    if spent + (estimate.cost_pico or 0) > standing.limit_pico:
        return Opinion(standing, over, Reason.ESTIMATE)
    near = Opinion(standing, Verdict.WARN, Reason.THRESHOLD) if standing.reached else None
    if standing.state is State.UNKNOWN:
        return _stricter(near, Opinion(standing, unknown, Reason.UNKNOWN_SPEND))
    if estimate.cost_pico is None:
        return _stricter(near, Opinion(standing, unknown, Reason.UNKNOWN_ESTIMATE))
    return near or Opinion(standing, Verdict.ALLOW, Reason.WITHIN)


def _stricter(near: Opinion | None, other: Opinion) -> Opinion:
    return near if near is not None and near.verdict.rank > other.verdict.rank else other


def _strictest(verdicts: Sequence[Verdict]) -> Verdict:
    return max(verdicts, key=lambda verdict: verdict.rank, default=Verdict.ALLOW)


def _strictness(one: Opinion) -> tuple[int, int]:
    return one.verdict.rank, one.standing.spend.cost_pico * 10**6 // one.standing.limit_pico

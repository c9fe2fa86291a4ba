"""What is abnormal: sliding windows of a session's spend beside its agent's baseline.

One early call, one dear call or a little money is no alarm, unless the one call alone is dearer than any should be.
What an alarm becomes over time is left to ``anomalies``.
"""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from finops.burn import MULTIPLIER_DEFAULT, WINDOW_SECONDS_DEFAULT, SlotSpend
from finops.money import PICO_PER_USD

SHORT_SECONDS, LONG_SECONDS = 300, 1800
"""Abnormal in both windows is critical: it goes on, and it has for long."""
MANY_FACTOR = 2
"""With so many times the least number of calls, one dear call misleads less ..."""
NORMAL_PART = Fraction(1, 2)
"""... and it is enough that the others come to this part of the baseline."""
QUICK_FACTOR = Fraction(4, 3)
"""The short window alone is enough at so many times the abnormal, ..."""
QUICK_FLOORS = 10
"""... where it holds so many times the least spend, ..."""
DEAR_WINDOWS = Fraction(5, 2)
"""... the dearest call costs what is normal in so many short windows, so that it is no crowd of normal calls, ..."""
QUICK_PART = Fraction(1, 5)
"""... and the others come to this part of the baseline, so that the session goes on beside it."""
URGENT_FACTOR = 10
"""So many times the abnormal is critical at once."""
FLOOR_PICO_DEFAULT = PICO_PER_USD // 10
CALLS_MIN_DEFAULT = 3
SINGLE_CALL_PICO_DEFAULT = 5 * PICO_PER_USD


class Severity(StrEnum):
    """The values are stored and told: never rename one."""

    WARNING = "warning"
    CRITICAL = "critical"


class Rule(StrEnum):
    """What was found. The values are stored and told: never rename one."""

    RATE = "rate"
    """The multiple of the baseline, and not by one dear call alone; or more in the short window, by dear calls."""
    URGENT = "urgent"
    """``URGENT_FACTOR`` times that."""
    SUSTAINED = "sustained"
    """The multiple in the short window and in the long one."""
    SINGLE_CALL = "singleCall"
    """One call that costs more than any should."""


class Rules(NamedTuple):
    """What is abnormal where an agent has nothing of its own."""

    window_seconds: int = WINDOW_SECONDS_DEFAULT
    multiplier: Decimal = MULTIPLIER_DEFAULT
    floor_pico: int = FLOOR_PICO_DEFAULT
    """Less spend in the window is never a multiple worth telling."""
    calls_min: int = CALLS_MIN_DEFAULT
    """Nor are fewer calls in the window."""
    single_call_pico: int = SINGLE_CALL_PICO_DEFAULT


class Evidence(NamedTuple):
    """What is known of one session now. Money in pico-USD."""

    org_id: str
    session_id: str
    agent_id: str
    spend_pico: int | None
    """Inside the window; None where the window has calls and not one has a price."""
    calls: int
    unpriced_calls: int
    short_pico: int
    long_pico: int
    largest_pico: int
    """The dearest call inside the window."""
    last_seen_at: datetime
    slots: tuple[SlotSpend, ...]
    """Of the window, oldest first."""
    baseline_pico_per_hour: Decimal | None = None
    own_multiplier: Decimal | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Organisation, session, agent."""
        return self.org_id, self.session_id, self.agent_id

    def multiplier(self, rules: Rules) -> Decimal:
        """So many times the baseline is abnormal for this agent."""
        return rules.multiplier if self.own_multiplier is None else self.own_multiplier


def find(evidence: Evidence, rules: Rules) -> tuple[Severity, Rule] | None:
    """What is abnormal now, the worst first; None where nothing is, or nothing can be told."""
    if evidence.spend_pico is None:
        return None
    enough = evidence.spend_pico >= rules.floor_pico and evidence.calls >= rules.calls_min
    if enough and evidence.baseline_pico_per_hour:
        if _reaches(evidence, rules, evidence.spend_pico, rules.window_seconds, URGENT_FACTOR):
            return Severity.CRITICAL, Rule.URGENT
        short = _reaches(evidence, rules, evidence.short_pico, SHORT_SECONDS)
        if short and _reaches(evidence, rules, evidence.long_pico, LONG_SECONDS):
            return Severity.CRITICAL, Rule.SUSTAINED
        abnormal = _reaches(evidence, rules, evidence.spend_pico, rules.window_seconds)
        if (abnormal and _lasting(evidence, rules)) or _dear(evidence, rules):
            return Severity.WARNING, Rule.RATE
    if evidence.largest_pico >= rules.single_call_pico:
        return Severity.WARNING, Rule.SINGLE_CALL
    return None


def _lasting(evidence: Evidence, rules: Rules) -> bool:
    """Whether one dear call is not all there is: the rest is abnormal by itself or, of many calls, nearly normal."""
    assert evidence.spend_pico is not None
    many = evidence.calls >= MANY_FACTOR * rules.calls_min
    part = NORMAL_PART / Fraction(evidence.multiplier(rules)) if many else 1
    return _reaches(evidence, rules, evidence.spend_pico - evidence.largest_pico, rules.window_seconds, part)


def _dear(evidence: Evidence, rules: Rules) -> bool:
    """Whether calls have become so dear that the short window tells it alone."""
    assert evidence.spend_pico is not None
    usual = 1 / Fraction(evidence.multiplier(rules))
    rest = evidence.spend_pico - evidence.largest_pico
    return (
        evidence.short_pico >= QUICK_FLOORS * rules.floor_pico
        and _reaches(evidence, rules, evidence.short_pico, SHORT_SECONDS, QUICK_FACTOR)
        and _reaches(evidence, rules, evidence.largest_pico, SHORT_SECONDS, usual * DEAR_WINDOWS)
        and _reaches(evidence, rules, rest, rules.window_seconds, usual * QUICK_PART)
    )


def _reaches(evidence: Evidence, rules: Rules, spend_pico: int, seconds: int, factor: int | Fraction = 1) -> bool:
    """Whether the spend in a window of ``seconds`` is ``factor`` times the abnormal or more."""
    assert evidence.baseline_pico_per_hour is not None
    abnormal = Fraction(evidence.baseline_pico_per_hour) * Fraction(evidence.multiplier(rules)) * factor
    return spend_pico * 3600 >= abnormal * seconds

"""How fast a session spends, and when that is abnormal.

The rate is the spend inside a sliding window of event time, divided by the window's whole length, always: a young
session is under-, never over-estimated, and one early call is no alarm.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from finops.money import PICO_PER_USD
from finops.ratios import decimal_of

SLOT_SECONDS = 10
"""Spend is kept in slots of this length; a window is a whole number of them."""
WINDOW_SECONDS_DEFAULT = 600
WINDOW_SECONDS_MIN = 60
WINDOW_SECONDS_MAX = 3600
IDLE_SECONDS_DEFAULT = 1800
"""A session without a call for this long is no longer active."""
MULTIPLIER_DEFAULT = Decimal(5)
"""A session is abnormal from this many times its agent's baseline."""
MULTIPLIER_MIN, MULTIPLIER_MAX = Decimal(1), Decimal(1000)


class SlotSpend(NamedTuple):
    """Priced spend of one session in one slot."""

    slot: datetime
    cost_pico: int


def window_start(now: datetime, window_seconds: int) -> datetime:
    """Slots that begin after this instant, up to ``now``, are inside the window."""
    return now - timedelta(seconds=window_seconds)


def burn_rate_usd_per_hour(spend_pico: int, window_seconds: int) -> Decimal:
    """Dollars per hour: spend x 3600 / window. Exact where the quotient is finite, else half-even to 12 decimals."""
    return decimal_of(Fraction(spend_pico * 3600, window_seconds * PICO_PER_USD))


def anomaly_ratio(rate_usd_per_hour: Decimal | None, baseline_usd_per_hour: Decimal | None) -> Decimal | None:
    """How many times the baseline; None without a rate, or without a baseline above zero."""
    if rate_usd_per_hour is None or not baseline_usd_per_hour:
        return None
    return decimal_of(Fraction(rate_usd_per_hour) / Fraction(baseline_usd_per_hour))


def crossed_at(slots: Sequence[SlotSpend], threshold_pico: int) -> datetime | None:
    """The first slot of the window at which its running spend reached the threshold; None where it never did.

    ``slots`` are those inside the window, oldest first.
    """
    spent = 0
    for slot, cost_pico in slots:
        spent += cost_pico
        if spent >= threshold_pico:
            return slot
    return None


def threshold_pico(baseline_usd_per_hour: Decimal, multiplier: Decimal, window_seconds: int) -> int:
    """The spend in one window, in pico-USD, from which a session is abnormal (rounded up)."""
    exact = Fraction(baseline_usd_per_hour) * Fraction(multiplier) * window_seconds * PICO_PER_USD / 3600
    return -(-exact.numerator // exact.denominator)

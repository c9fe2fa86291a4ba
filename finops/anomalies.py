"""When a session burns abnormally, and since when it no longer does: told once, and never for nothing.

What is open stays open until the spend has been clearly lower for a while, and does not open again at once. Nothing
here remembers: what was decided before comes in, what is decided now goes out.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from finops.anomaly_rules import Evidence, Rule, Rules, Severity, find
from finops.burn import anomaly_ratio, burn_rate_usd_per_hour, crossed_at, threshold_pico
from finops.money import usd

CLOSE_FACTOR = Fraction(4, 5)
"""Open anomalies are over below this part of what opens them ..."""
CLOSE_AFTER_SECONDS = 60.0
"""... once they have been for so long."""
LOOK_SECONDS_MAX = 10.0
"""Of the time between two looks no more counts: nobody looked, or a clock jumped."""
REOPEN_AFTER = timedelta(minutes=10)
"""Nothing opens again sooner after it closed, unless ..."""
REOPEN_FACTOR = 2
"""... its ratio is this many times the one it opened at before."""
RECOVERED, BASELINE_CHANGED = "recovered", "baselineChanged"


class Anomaly(NamedTuple):
    """A session that burns abnormally, or did. ``spend_pico`` and what follows from it are as of ``judged_at``."""

    org_id: str
    session_id: str
    agent_id: str
    severity: Severity
    """The worst there was."""
    rule: Rule
    opened_at: datetime
    judged_at: datetime
    closed_at: datetime | None
    close_reason: str | None
    below_seconds: float | None
    """For so long it has been seen below the closing threshold; None: it is not below."""
    baseline_pico_per_hour: Decimal | None
    multiplier: Decimal
    window_seconds: int
    spend_pico: int | None
    calls: int
    unpriced_calls: int
    opened_ratio: Decimal | None
    peak_spend_pico: int
    peak_ratio: Decimal | None
    last_seen_at: datetime
    top_calls: Sequence[object] = ()
    """The dearest calls, as plain values."""
    anomaly_id: int | None = None
    """None until it is kept."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Organisation, session, agent."""
        return self.org_id, self.session_id, self.agent_id

    @property
    def burn_rate_usd_per_hour(self) -> Decimal | None:
        """None where nothing inside the window has a price."""
        return None if self.spend_pico is None else burn_rate_usd_per_hour(self.spend_pico, self.window_seconds)

    @property
    def baseline_usd_per_hour(self) -> Decimal | None:
        """What is normal for one session of the agent; None where nobody said."""
        return None if self.baseline_pico_per_hour is None else usd(int(self.baseline_pico_per_hour))

    @property
    def ratio(self) -> Decimal | None:
        """How many times the baseline; None where either is unknown."""
        return anomaly_ratio(self.burn_rate_usd_per_hour, self.baseline_usd_per_hour)


class Change(StrEnum):
    """What a look at a session did."""

    OPENED = "opened"
    WORSENED = "worsened"
    KEPT = "kept"
    CLOSED = "closed"


class Step(NamedTuple):
    """What becomes of a session's anomaly."""

    change: Change
    anomaly: Anomaly


def next_step(standing: Anomaly | None, evidence: Evidence, rules: Rules, now: datetime) -> Step | None:
    """What becomes of the session's last anomaly, or of none; None where nothing is open and nothing opens."""
    found = find(evidence, rules)
    if standing is not None and standing.closed_at is None:
        return _look_again(standing, evidence, found, rules, now)
    if found is None or (standing is not None and _too_soon(standing, evidence, found[1], rules, now)):
        return None
    return Step(Change.OPENED, _opened(evidence, found, rules, now))


def _opened(evidence: Evidence, found: tuple[Severity, Rule], rules: Rules, now: datetime) -> Anomaly:
    fresh = Anomaly(
        *evidence.key,
        *found,
        opened_at=_since(evidence, found[1], rules),
        judged_at=now,
        closed_at=None,
        close_reason=None,
        below_seconds=None,
        baseline_pico_per_hour=evidence.baseline_pico_per_hour,
        multiplier=evidence.multiplier(rules),
        window_seconds=rules.window_seconds,
        spend_pico=evidence.spend_pico,
        calls=evidence.calls,
        unpriced_calls=evidence.unpriced_calls,
        opened_ratio=None,
        peak_spend_pico=evidence.spend_pico or 0,
        peak_ratio=None,
        last_seen_at=evidence.last_seen_at,
    )
    return fresh._replace(opened_ratio=fresh.ratio, peak_ratio=fresh.ratio)


def _look_again(
    standing: Anomaly, evidence: Evidence, found: tuple[Severity, Rule] | None, rules: Rules, now: datetime
) -> Step:
    looked = _as_of(standing, evidence, rules, now)
    if found is not None and found[0] is Severity.CRITICAL and standing.severity is Severity.WARNING:
        return Step(Change.WORSENED, looked._replace(severity=found[0], rule=found[1], below_seconds=None))
    normal = (standing.baseline_pico_per_hour, standing.multiplier)
    if found is None and normal != (looked.baseline_pico_per_hour, looked.multiplier) and not _at_least(looked, 1):
        return Step(Change.CLOSED, looked._replace(closed_at=now, close_reason=BASELINE_CHANGED))
    if found is not None or _at_least(looked, CLOSE_FACTOR):
        return Step(Change.KEPT, looked._replace(below_seconds=None))
    below = _below(standing, now)
    if below >= CLOSE_AFTER_SECONDS:
        return Step(Change.CLOSED, looked._replace(closed_at=now, close_reason=RECOVERED, below_seconds=below))
    return Step(Change.KEPT, looked._replace(below_seconds=below))


def _as_of(standing: Anomaly, evidence: Evidence, rules: Rules, now: datetime) -> Anomaly:
    looked = standing._replace(
        judged_at=now,
        baseline_pico_per_hour=evidence.baseline_pico_per_hour,
        multiplier=evidence.multiplier(rules),
        window_seconds=rules.window_seconds,
        spend_pico=evidence.spend_pico,
        calls=evidence.calls,
        unpriced_calls=evidence.unpriced_calls,
        peak_spend_pico=max(standing.peak_spend_pico, evidence.spend_pico or 0),
        last_seen_at=max(standing.last_seen_at, evidence.last_seen_at),
    )
    peaks = [ratio for ratio in (standing.peak_ratio, looked.ratio) if ratio is not None]
    return looked._replace(peak_ratio=max(peaks, default=None))


def _below(standing: Anomaly, now: datetime) -> float:
    if standing.below_seconds is None:
        return 0.0
    passed = (now - standing.judged_at).total_seconds()
    return standing.below_seconds + min(max(passed, 0.0), LOOK_SECONDS_MAX)


def _at_least(anomaly: Anomaly, part: int | Fraction) -> bool:
    ratio = anomaly.ratio
    return ratio is not None and Fraction(ratio) >= part * Fraction(anomaly.multiplier)


def _too_soon(closed: Anomaly, evidence: Evidence, rule: Rule, rules: Rules, now: datetime) -> bool:
    """Whether a session that has just recovered is no news yet. A dear call always is: the one before has left."""
    if closed.closed_at is None or closed.close_reason == BASELINE_CHANGED or rule is Rule.SINGLE_CALL:
        return False
    if now >= closed.closed_at + REOPEN_AFTER or closed.opened_ratio is None:
        return False
    ratio = _opened(evidence, (Severity.WARNING, rule), rules, now).ratio
    return ratio is not None and ratio < REOPEN_FACTOR * closed.opened_ratio


def _since(evidence: Evidence, rule: Rule, rules: Rules) -> datetime:
    """The slot that made it abnormal."""
    if rule is Rule.SINGLE_CALL:
        dear = (slot.slot for slot in evidence.slots if slot.cost_pico >= rules.single_call_pico)
        return next(dear, evidence.last_seen_at)
    baseline = usd(int(evidence.baseline_pico_per_hour or 0))
    reached = threshold_pico(baseline, evidence.multiplier(rules), rules.window_seconds)
    return crossed_at(evidence.slots, reached) or evidence.last_seen_at

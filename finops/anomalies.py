"""Judging a session's window: its rate beside its agent's baseline, and since when it is abnormal."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from finops.burn import anomaly_ratio, burn_rate_usd_per_hour, crossed_at, severity, threshold_pico
from finops.money import usd
from finops.reports import SessionBurn


class Judged(NamedTuple):
    """One active session and what its window means."""

    session: SessionBurn
    window_seconds: int
    burn_rate_usd_per_hour: Decimal | None
    """None where nothing inside the window has a price."""
    baseline_usd_per_hour: Decimal | None
    ratio: Decimal | None
    severity: str | None
    """'warning', 'critical', or None where nothing is abnormal or nothing can be told."""
    opened_at: datetime | None
    """The slot in which the spend still inside the window reached the abnormal; only with a severity."""


def judge(session: SessionBurn, window_seconds: int, multiplier: Decimal) -> Judged:
    """Judges one session; ``multiplier`` times the baseline is abnormal."""
    spend = session.spend_pico
    rate = None if spend is None else burn_rate_usd_per_hour(spend, window_seconds)
    baseline = None if session.baseline_pico_per_hour is None else usd(int(session.baseline_pico_per_hour))
    ratio = anomaly_ratio(rate, baseline)
    found = severity(ratio, multiplier)
    opened = None
    if found is not None and baseline is not None:
        opened = crossed_at(session.slots, threshold_pico(baseline, multiplier, window_seconds))
    return Judged(session, window_seconds, rate, baseline, ratio, found, opened)


def fastest_first(judged: Sequence[Judged]) -> list[Judged]:
    """By burn rate descending, the unknown last; the latest call first among equals."""
    known = [one for one in judged if one.burn_rate_usd_per_hour is not None]
    unknown = [one for one in judged if one.burn_rate_usd_per_hour is None]
    return sorted(known, key=lambda one: one.burn_rate_usd_per_hour or 0, reverse=True) + unknown


def anomalies(judged: Iterable[Judged]) -> list[Judged]:
    """Only the abnormal, by ratio descending."""
    return sorted((one for one in judged if one.severity is not None), key=lambda one: one.ratio or 0, reverse=True)

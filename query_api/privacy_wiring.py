"""Erasures and retention over the real ledger: what is served, and what the judge does; a part of ``__main__``."""

from collections.abc import Callable
from datetime import datetime, timedelta

from ledger.erasing import ErasurePass, Erasures
from ledger.expiring import RetentionPass
from ledger.pool import Pool
from ledger.privacy_state import PrivacyStates
from ledger.retention_rules import RetentionRules
from query_api.endpoints.erasures import ErasureEndpoints
from query_api.endpoints.retention import RetentionEndpoints
from query_api.erasure_routes import PrivacyHandlers
from query_api.judging import Clock, JudgePass
from query_api.privacy_gauges import PrivacyGauges
from query_api.settings import Settings


def privacy_handlers(settings: Settings, connections: Pool, now: Callable[[], datetime]) -> PrivacyHandlers:
    """The endpoints about what is kept of people."""
    return PrivacyHandlers(
        erasures=ErasureEndpoints(Erasures(connections, settings.erasures_open_max), now),
        retention=RetentionEndpoints(RetentionRules(connections)),
        gauges=PrivacyGauges(PrivacyStates(connections)),
    )


def privacy_passes(settings: Settings, connections: Pool, clock: Clock) -> list[JudgePass]:
    """What the judge does about erasures that are not finished, and about names that have become too old."""
    remembered = timedelta(days=settings.erasure_memory_days)
    erasures = Erasures(connections, settings.erasures_open_max)
    return [
        ErasurePass(erasures, clock.now, remembered=remembered),
        RetentionPass(connections, clock.monotonic),
    ]

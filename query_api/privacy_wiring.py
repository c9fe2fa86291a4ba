"""Erasures over the real ledger: what is served, and what the judge goes on with; a part of ``__main__``."""

from collections.abc import Callable
from datetime import datetime

from ledger.erasing import ErasurePass, Erasures
from ledger.pool import Pool
from query_api.endpoints.erasures import ErasureEndpoints
from query_api.erasure_routes import PrivacyHandlers
from query_api.judging import JudgePass
from query_api.settings import Settings


def privacy_handlers(settings: Settings, connections: Pool, now: Callable[[], datetime]) -> PrivacyHandlers:
    """The endpoints about what is kept of people."""
    return PrivacyHandlers(erasures=ErasureEndpoints(Erasures(connections, settings.erasures_open_max), now))


def erasure_pass(settings: Settings, connections: Pool, now: Callable[[], datetime]) -> JudgePass:
    """What the judge does about erasures that are not finished."""
    return ErasurePass(Erasures(connections, settings.erasures_open_max), now)

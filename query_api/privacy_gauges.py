"""Gauges of what has to go and has not yet: erasures, and names of old days."""

from datetime import datetime
from typing import Protocol

from finops.expiry import PrivacyState
from query_api.exchange import Ask
from query_api.exposition import Family, Sample


class States(Protocol):
    """What is asked of the ledger."""

    async def now(self, now: datetime) -> PrivacyState: ...


class PrivacyGauges:
    """A source of metric families."""

    def __init__(self, states: States) -> None:
        self._states = states

    async def families(self, ask: Ask) -> list[Family]:
        """What ``ask`` may see of them."""
        return privacy_families(await self._states.now(ask.now))


def privacy_families(state: PrivacyState) -> list[Family]:
    """The gauges as families."""
    erasures, days = [Sample("", (), state.erasures_unfinished)], [Sample("", (), state.days_behind)]
    return [
        Family("finops_erasures_unfinished", "gauge", "Erasures of identifiers that are not finished.", erasures),
        Family("finops_retention_days_behind", "gauge", "Days whose names should be gone and are not.", days),
    ]

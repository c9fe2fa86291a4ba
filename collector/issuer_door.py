"""Bearer JWTs at the OTLP doors: the issuer of the settings in the words of ``senders``, and its numbers.

The extra ``oidc`` is imported only where an issuer is named.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from collector.metrics import OIDC_FETCHES, OIDC_KEYS, OIDC_KEYS_AGE, OIDC_TOKENS, Metrics
from collector.pipeline import Clock
from collector.senders import Bearers, NotLetIn
from collector.settings import Settings
from finops.access import Grant
from finops.spans import LedgerUnavailable

if TYPE_CHECKING:
    from doors.issuer import Issuer


class IssuerDoor:
    """Knows the tokens of one issuer."""

    def __init__(self, issuer: "Issuer") -> None:
        self._issuer = issuer

    async def grant(self, token: str) -> Grant:
        """What a JWT allows; see ``collector.senders``."""
        from doors.issuer import Refused
        from doors.issuer_keys import Unreachable

        try:
            return await self._issuer.grant(token)
        except Refused as fault:
            raise NotLetIn(str(fault)) from None
        except Unreachable as fault:
            raise LedgerUnavailable(str(fault)) from None


def issuer_of(settings: Settings, clock: Clock, metrics: Metrics) -> Bearers | None:
    """The issuer of the settings; None: only stored tokens are known."""
    if settings.oidc is None:
        return None
    from doors.issuer import Issuer
    from doors.issuer_keys import Event, IssuerKeys, fetcher

    fetches = {Event.FETCHED, Event.FAILED}

    def note(event: Event) -> None:
        metrics.count(OIDC_FETCHES if event in fetches else OIDC_TOKENS, event.value)

    def now() -> datetime:
        return datetime.fromtimestamp(clock.unix_ns() / 1e9, UTC)

    keys = IssuerKeys(settings.oidc, clock.monotonic, fetcher(settings.oidc), note)
    metrics.watch(OIDC_KEYS, lambda: float(len(keys)))
    metrics.watch(OIDC_KEYS_AGE, lambda: keys.age_seconds)
    return IssuerDoor(Issuer(settings.oidc, keys, now, note))

"""Bearer JWTs at the API: the issuer of the settings in the words of ``auth``, and its numbers as metric families.

The extra ``oidc`` is imported only where an issuer is named.
"""

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING

from doors.issuer_settings import IssuerSettings
from finops.access import Grant
from query_api.auth import unauthorized
from query_api.exposition import Family, Sample
from query_api.problems import Problem

if TYPE_CHECKING:
    from doors.issuer import Issuer

_FETCHES, _TOKENS = ("fetched", "failed"), ("good", "refused", "undecided")


class IssuerDoor:
    """Knows the tokens of one issuer. ``events`` is how often each thing has happened."""

    def __init__(self, issuer: "Issuer", events: Counter[str], retry_seconds: int) -> None:
        self._issuer = issuer
        self._events = events
        self._retry_seconds = retry_seconds

    async def grant(self, token: str) -> Grant:
        """What a JWT allows; see ``query_api.auth``."""
        from doors.issuer import Refused
        from doors.issuer_keys import Unreachable

        try:
            return await self._issuer.grant(token)
        except Refused as fault:
            raise unauthorized(str(fault)) from None
        except Unreachable as fault:
            headers = {"Retry-After": str(self._retry_seconds)}
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(fault), headers=headers) from None

    async def families(self, _ask: object) -> list[Family]:
        """Metric families; they tell nothing about anyone."""
        keys = self._issuer.keys
        age = Decimal(format(keys.age_seconds, ".3f"))
        return [
            Family("finops_oidc_keys", "gauge", "Keys of the issuer that are known.", [Sample("", (), len(keys))]),
            Family("finops_oidc_keys_age_seconds", "gauge", "Since they were fetched.", [Sample("", (), age)]),
            Family("finops_oidc_key_fetches", "counter", "Tries to fetch the issuer's keys.", self._told(_FETCHES)),
            Family("finops_oidc_tokens", "counter", "JWTs that were checked.", self._told(_TOKENS)),
        ]

    def _told(self, outcomes: tuple[str, ...]) -> list[Sample]:
        return [Sample("_total", (("outcome", outcome),), self._events[outcome]) for outcome in outcomes]


def issuer_of(
    settings: IssuerSettings | None, monotonic: Callable[[], float], now: Callable[[], datetime]
) -> IssuerDoor | None:
    """The issuer of the settings; None: only stored tokens are known."""
    if settings is None:
        return None
    from doors.issuer import Issuer
    from doors.issuer_keys import Event, IssuerKeys, fetcher

    events: Counter[str] = Counter()

    def note(event: Event) -> None:
        events[event.value] += 1

    keys = IssuerKeys(settings, monotonic, fetcher(settings), note)
    return IssuerDoor(Issuer(settings, keys, now, note), events, settings.refetch_seconds)

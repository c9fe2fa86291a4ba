"""Who knows bearer JWTs: a part of ``__main__``. The extra ``oidc`` is imported only where asked for."""

from collections.abc import Callable
from datetime import datetime

from query_api.auth import Bearers
from query_api.settings import Settings


def issuer_of(settings: Settings, monotonic: Callable[[], float], now: Callable[[], datetime]) -> Bearers | None:
    """The issuer of the settings; None: only stored tokens are known."""
    if settings.oidc_issuer is None:
        return None
    from query_api.issuer import Expected, Issuer
    from query_api.issuer_keys import IssuerKeys, fetched

    expected = Expected(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        algorithms=settings.oidc_algorithms,
        scopes_claim=settings.oidc_scopes_claim,
        org_claim=settings.oidc_org_claim,
        leeway_seconds=settings.oidc_leeway_seconds,
    )
    return Issuer(expected, IssuerKeys(settings.oidc_issuer, settings.oidc_keys_url, monotonic, fetched), now)

"""How both services are told of an OpenID Connect issuer: the same variables, read once from a mapping, with limits.

What the limits mean is said by ``issuer_keys``, which keeps them. Nothing of the extra ``oidc`` is imported here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple
from urllib.parse import urlsplit

from doors.settings_values import count, is_loopback

ALGORITHMS = {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"}
"""Of signed tokens. None with a shared secret, which whoever checks could sign with."""
OFF = "off"


class Variable(NamedTuple):
    """How one setting is told from outside."""

    name: str
    read: Callable[[str], object]
    default: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSettings:
    """An issuer, what its tokens must say, and how its keys are fetched; units are in the names."""

    issuer: str
    audience: str
    keys_url: str | None
    """None: whatever its discovery document says."""
    algorithms: tuple[str, ...]
    scopes_claim: str
    scope_prefix: str
    """In front of every scope in its tokens; words without it are none."""
    org_claim: str | None
    """None: tokens name no organisation and hold for all of them."""
    leeway_seconds: int
    fresh_seconds: int
    stale_seconds: int
    refetch_seconds: int
    fetch_ms_max: int
    document_bytes_max: int
    keys_max: int


def secure_url(text: str) -> str:
    """An https address, or an http one of this machine. ``ValueError`` says why it is none."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("is not an http:// or https:// address")
    if parts.scheme != "https" and not is_loopback(parts.hostname):
        raise ValueError("is not an https:// address")
    return text


def _secure_url_or_none(text: str) -> str | None:
    return secure_url(text) if text else None


def _issuer(text: str) -> str | None:
    if text and find_spec("joserfc") is None:
        raise ValueError("wants the extra oidc, which is not installed: pip install 'agent-finops[oidc]'")
    return _secure_url_or_none(text)


def _algorithms(text: str) -> tuple[str, ...]:
    found = tuple(filter(None, (piece.strip() for piece in text.split(","))))
    if not found or not set(found) <= ALGORITHMS:
        raise ValueError(f"is not some of {', '.join(sorted(ALGORITHMS))}")
    return found


def _text_or_off(text: str) -> str | None:
    return None if text == OFF else text


VARIABLES: dict[str, Variable] = {
    "issuer": Variable("FINOPS_OIDC_ISSUER", _issuer, "", "issuer of bearer JWTs that are let in, too"),
    "audience": Variable("FINOPS_OIDC_AUDIENCE", str, "", "whom its tokens must be for"),
    "keys_url": Variable("FINOPS_OIDC_JWKS_URL", _secure_url_or_none, "", "its keys; empty: as discovery says"),
    "algorithms": Variable("FINOPS_OIDC_ALGORITHMS", _algorithms, "RS256,ES256", "ways its tokens may be signed"),
    "scopes_claim": Variable("FINOPS_OIDC_SCOPES_CLAIM", str, "scope", "the claim with scopes"),
    "scope_prefix": Variable("FINOPS_OIDC_SCOPE_PREFIX", str, "", "in front of every scope in its tokens"),
    "org_claim": Variable("FINOPS_OIDC_ORG_CLAIM", _text_or_off, "org_id", "with the organisation; off: all of them"),
    "leeway_seconds": Variable("FINOPS_OIDC_LEEWAY_SECONDS", count(0, 300), "30", "by which clocks may differ"),
    "fresh_seconds": Variable("FINOPS_OIDC_FRESH_SECONDS", count(1, 86_400), "600", "until keys are fetched again"),
    "stale_seconds": Variable(
        "FINOPS_OIDC_STALE_SECONDS", count(1, 2_592_000), "86400", "for which keys serve while it is away"
    ),
    "refetch_seconds": Variable("FINOPS_OIDC_REFETCH_SECONDS", count(1, 3600), "10", "between two tries to fetch"),
    "fetch_ms_max": Variable("FINOPS_OIDC_FETCH_MS_MAX", count(100, 60_000), "5000", "to fetch one document"),
    "document_bytes_max": Variable(
        "FINOPS_OIDC_DOCUMENT_BYTES_MAX", count(1024, 16_777_216), "262144", "of one document"
    ),
    "keys_max": Variable("FINOPS_OIDC_KEYS_MAX", count(1, 10_000), "100", "keys that are looked at"),
}


def read_issuer(environment: Mapping[str, str], faults: list[str]) -> IssuerSettings | None:
    """The issuer of ``environment``, None where none is named; what cannot be used is added to ``faults``."""
    values: dict[str, object] = {}
    before = len(faults)
    for field, variable in VARIABLES.items():
        text = environment.get(variable.name, "").strip() or variable.default
        try:
            values[field] = variable.read(text)
        except ValueError as fault:
            faults.append(f"{variable.name} ({text!r}) {fault}")
    if len(faults) > before or values["issuer"] is None:
        return None
    found = IssuerSettings(**values)  # type: ignore[arg-type]
    if not found.audience:
        faults.append("FINOPS_OIDC_AUDIENCE is not set: without it any token of the issuer would do")
    if found.stale_seconds < found.fresh_seconds:
        faults.append("FINOPS_OIDC_STALE_SECONDS is below FINOPS_OIDC_FRESH_SECONDS: keys would end too early")
    return found


def render_issuer(settings: IssuerSettings | None) -> list[str]:
    """``VARIABLE=value  # meaning`` lines of what is in effect; nothing of it is secret."""
    lines = []
    for field, variable in VARIABLES.items() if settings is not None else ():
        value = getattr(settings, field)
        shown = ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
        lines.append(f"{variable.name}={shown}  # {variable.meaning}")
    return lines

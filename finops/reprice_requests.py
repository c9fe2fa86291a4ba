"""Requests to price history again, and runs that do it.

The three questions about the past are three price sources over the same tokens: what was billed then (``asBilled``),
what was known then (``asKnownThen``), and what other rates would make of it (``current``, a version of the rates, or
rates given).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import add
from typing import NamedTuple
from uuid import UUID

from finops.rates import RatePut

CURRENT = "current"
AS_KNOWN_THEN = "asKnownThen"
AS_BILLED = "asBilled"
RATE_VERSION = "rateVersion"
RATES = "rates"

PREVIEW_CALLS_MAX = 1_000_000
"""Calls of one preview over HTTP; a command looks at as many as there are."""


class PriceSource(NamedTuple):
    """By which rates to price."""

    kind: str = CURRENT
    rate_version: int = 0
    """The last version that counts, where the kind is ``rateVersion``."""
    rates: tuple[RatePut, ...] = ()
    """Laid over the rates that hold now, where the kind is ``rates``."""


class Scope(NamedTuple):
    """Which calls: None is all; otherwise any of the values ('' matches what was not said)."""

    orgs: tuple[str, ...] | None = None
    agents: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    providers: tuple[str, ...] | None = None
    environments: tuple[str, ...] | None = None


EVERY_CALL = Scope()
CURRENT_RATES = PriceSource()


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceRequest:
    """What to price again: calls from ``start`` until before ``end``, by time of the call."""

    start: datetime
    end: datetime
    scope: Scope = EVERY_CALL
    source: PriceSource = CURRENT_RATES

    def document(self) -> dict[str, object]:
        """As it is kept with a run; ``request_from`` reads it."""
        scope = {name: list(values) for name, values in self.scope._asdict().items() if values is not None}
        source = {"kind": self.source.kind, "rateVersion": self.source.rate_version}
        return {"from": self.start.isoformat(), "to": self.end.isoformat(), "scope": scope, "priceSource": source}


def request_from(document: Mapping[str, object]) -> RepriceRequest:
    """The request that ``RepriceRequest.document`` wrote down."""
    scope, source = document["scope"], document["priceSource"]
    assert isinstance(scope, dict)
    assert isinstance(source, dict)
    return RepriceRequest(
        start=datetime.fromisoformat(str(document["from"])),
        end=datetime.fromisoformat(str(document["to"])),
        scope=Scope(**{name: tuple(values) for name, values in scope.items()}),
        source=PriceSource(str(source["kind"]), int(source["rateVersion"])),
    )


class Change(NamedTuple):
    """What pricing again makes of some calls. Money in pico-USD, unpriced calls left out."""

    calls: int = 0
    touched: int = 0
    """Calls (and answers from a response cache) that change."""
    before_pico: int = 0
    after_pico: int = 0
    unpriced_before: int = 0
    unpriced_after: int = 0
    savings_before_pico: int = 0
    """Of both kinds of cache."""
    savings_after_pico: int = 0

    def plus(self, other: "Change") -> "Change":
        """Both together."""
        return Change._make(map(add, self, other))


class PreviewTooLarge(ValueError):
    """The period holds more calls than one preview looks at; the message is how many that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepriceRun:
    """An applied repricing."""

    run_id: UUID
    started_at: datetime
    finished_at: datetime | None
    """None: not finished; it goes on when it is asked to."""
    actor: str
    org_id: str
    """The only organisation it is about; empty: several, or all."""
    reason: str
    request: RepriceRequest
    change: Change
    """Of the calls up to ``priced_through``."""
    priced_through: datetime

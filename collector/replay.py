"""Spans in suspense tried again by today's rules: those that are believed now go to the ledger, the others stay."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from collector.decode import Decoded, Undecodable, decode_traces
from collector.suspended import EXPORT, RECORD
from finops.spans import AppendOutcome, LedgerUnavailable, Rejected, SpanRecord

PAGE_SPANS = 500
"""Spans in one transaction."""
_record = msgspec.msgpack.Decoder(SpanRecord).decode


class Waiting(Protocol):
    """A span in suspense."""

    @property
    def id(self) -> int: ...
    @property
    def arrived_ns(self) -> int: ...
    @property
    def tenant(self) -> str: ...
    @property
    def form(self) -> str: ...
    @property
    def body(self) -> bytes: ...


class Suspense(Protocol):
    """Where they wait."""

    async def page(self, after: int, limit: int, reason: str | None = None) -> Sequence[Waiting]:
        """The next ones by id."""
        ...

    async def settle(self, ids: Sequence[int]) -> None:
        """They are in the ledger now."""
        ...


class Ledger(Protocol):
    """Where they should go."""

    async def append(self, batch: Sequence[SpanRecord], rejected: Sequence[Rejected], arrived_ns: int) -> AppendOutcome:
        """Returns after the commit."""
        ...


class Replayed(NamedTuple):
    """What a replay came to."""

    tried: int = 0
    posted: int = 0
    redelivered: int = 0
    """Were there already: their sender had sent them again, or an earlier replay was cut short."""
    refused: int = 0
    """Stay in suspense."""


async def replay(suspense: Suspense, ledger: Ledger, reason: str | None = None) -> Replayed:
    """Tries all that can be tried. Cut short at any point and started again it counts nothing twice.

    Each goes in at its own time of arrival: a call is priced by when it happened. Raises ``LedgerUnavailable``.
    """
    total, after = Replayed(), 0
    while page := await suspense.page(after, PAGE_SPANS, reason):
        after = page[-1].id
        total = Replayed(*(a + b for a, b in zip(total, await _replay_page(page, suspense, ledger), strict=True)))
    return total


async def _replay_page(page: Sequence[Waiting], suspense: Suspense, ledger: Ledger) -> Replayed:
    taken: list[int] = []
    posted = redelivered = 0
    for item in page:
        outcome = await _try(item, ledger)
        if outcome is not None:
            taken.append(item.id)
            posted, redelivered = posted + outcome.posted + outcome.ignored, redelivered + outcome.redelivered
    if taken:
        await suspense.settle(taken)
    return Replayed(len(page), posted, redelivered, len(page) - len(taken))


async def _try(item: Waiting, ledger: Ledger) -> AppendOutcome | None:
    """What the ledger made of it; None where it is refused still."""
    records = read_again(item.form, item.body, item.tenant, item.arrived_ns).records
    if not records:
        return None
    try:
        return await ledger.append(records, [], item.arrived_ns)
    except LedgerUnavailable:
        raise
    except Exception:  # noqa: BLE001 - still poison, whatever it is; it stays where it is
        return None


def read_again(form: str, body: bytes, tenant: str, arrived_ns: int) -> Decoded:
    """The span by today's rules: a record, or why it is refused still."""
    try:
        if form == RECORD:
            return Decoded([_record(body)], [])
        if form == EXPORT:
            return decode_traces(body, tenant, arrived_ns)
    except (Undecodable, msgspec.DecodeError) as fault:
        return Decoded([], [Rejected("undecodable", type(fault).__name__, tenant=tenant)])
    return Decoded([], [Rejected("undecodable", "kept in a form that is not known here", tenant=tenant)])

"""What became of everything that arrived: received = billed + duplicate + ignored + suspense, each span once."""

from collections.abc import Sequence
from typing import NamedTuple

from finops.reports import Coverage, VerdictCount

BILLED = frozenset({"billed", "noUsage"})
"""Verdicts of spans that count as a call. A call without usage counts; its cost is unknown."""
REDELIVERED = "redelivered"
"""The verdict on a span that is kept already: it came again."""
DUPLICATE = frozenset({"duplicate", "repeatsChildren", "repeatsRun", "repeatsTool", REDELIVERED})
"""Verdicts of spans that tell again what another span is counted for."""


class Fate(NamedTuple):
    """How many spans went which way."""

    received: int
    billed: int
    duplicate: int
    ignored: int
    suspense: int


class MoneyFate(NamedTuple):
    """What a naive sum over all spans would have told, in pico-USD, and where it went. None: nothing of it is known."""

    received: int | None
    """All of the rest that is known."""
    billed: int | None
    """What stands in the ledger for the billed spans."""
    duplicate: int | None
    ignored: int | None
    suspense: int | None
    """What spans in suspense would cost is not known; 0 where there are none."""


def _parts(told: Coverage) -> tuple[list[VerdictCount], list[VerdictCount], list[VerdictCount]]:
    billed = [row for row in told.verdicts if row.verdict in BILLED]
    duplicate = [row for row in told.verdicts if row.verdict in DUPLICATE]
    return billed, duplicate, [row for row in told.verdicts if row.verdict not in BILLED | DUPLICATE]


def fate_of_spans(told: Coverage) -> Fate:
    """Spans: what is neither billed, duplicate nor in suspense has no cost of its own and is ignored."""
    suspense = sum(row.spans for row in told.suspense)
    billed, duplicate, ignored = (sum(row.spans for row in part) for part in _parts(told))
    return Fate(billed + duplicate + ignored + suspense, billed, duplicate, ignored, suspense)


def fate_of_money(told: Coverage) -> MoneyFate:
    """The same in pico-USD."""
    suspense = None if any(row.spans for row in told.suspense) else 0
    billed, duplicate, ignored = (_known(part) for part in _parts(told))
    parts = (billed, duplicate, ignored, suspense)
    known = [part for part in parts if part is not None]
    received = sum(known) if any(known) or len(known) == len(parts) else None
    return MoneyFate(received, billed, duplicate, ignored, suspense)


def _known(rows: Sequence[VerdictCount]) -> int | None:
    known = sum(row.priced_pico for row in rows)
    return None if not known and any(row.unpriced_spans for row in rows) else known

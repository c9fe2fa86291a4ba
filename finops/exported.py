"""What exports are made of: entries of the ledger as they were written, and the charge lines of their prices.

A correction is a row like any other: what took an entry back is negative, what came in its place is not; so any sum
over an export is the sum of the ledger. Unknown is ``None``, never zero. File formats are left to ``query_api``.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple

from finops.reports import Filters
from finops.time_windows import TimeWindow

REQUEST = "request"
SECOND = timedelta(seconds=1)


class ColumnKind(Enum):
    """What the values of a column of an export are, where they are anything."""

    TEXT = "text"
    """Also what is told as JSON."""
    INSTANT = "instant"
    COUNT = "count"
    FLAG = "flag"
    USD = "usd"
    """To the pico-dollar."""
    EXACT = "exact"
    """A decimal to the femto: unit prices, what they come to unrounded, quantities."""


class Named(NamedTuple):
    """A column as a file has it."""

    name: str
    kind: ColumnKind


class ExportQuestion(NamedTuple):
    """Which entries."""

    window: TimeWindow
    filters: Filters


class ExportedEntry(NamedTuple):
    """One entry as it stands in the ledger; measures of a reversal are negative. '' is not said."""

    event_time: datetime
    recorded_at: datetime
    trace_id: str
    span_id: str
    revision: int
    reverses: int | None
    """The revision that this entry takes back."""
    org_id: str
    team_id: str
    agent_id: str
    session_id: str
    user_id: str
    environment: str
    service: str
    provider: str
    model_id: str
    operation: str
    calls: int
    agent_runs: int
    tool_calls: int
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_pico: int | None
    unpriced_calls: int
    unmetered_calls: int
    cache_hits: int
    saved_tokens: int
    semantic_savings_pico: int
    prompt_savings_pico: int
    reported_cost_pico: int | None
    rate_version: int | None
    lines: Any
    """The price lines of the entry, or of the one it takes back; None where nothing was priced."""


class Charge(NamedTuple):
    """What one kind of token of one call, or of an agent's day, came to."""

    start: datetime
    end: datetime
    corrects: bool
    """Takes back or replaces something that was told before."""
    closed: bool
    """And that was told for a month that had ended."""
    org_id: str
    team_id: str
    agent_id: str
    session_id: str
    user_id: str
    environment: str
    service: str
    provider: str
    model_id: str
    operation: str
    kind: str | None
    """None: not priced by kinds."""
    quantity: int | None
    """Tokens, requests or searches; negative where it is taken back. None: never stated."""
    rate_femto: int | None
    """femto-USD for one of the quantity; None: unknown."""
    amount_pico: int | None
    calls: int
    """Of the call's charges only the first counts it."""
    unpriced_calls: int
    trace_id: str = ""
    span_id: str = ""
    revision: int | None = None


def charges_of(entry: ExportedEntry) -> Iterator[Charge]:
    """The charges of a call's entry: one for each line of its price, or the one that has no price."""
    sign = -1 if entry.calls < 0 else 1
    calls, lines = entry.calls, entry.lines or ()
    for line in lines:
        priced = (line["kind"], sign * line["tokens"], line["rateFemto"], sign * line["amountPico"])
        yield _charge(entry, priced, calls, 0)
        calls = 0
    if lines:
        return
    if entry.cost_pico == 0:
        yield _charge(entry, (REQUEST, entry.calls, 0, 0), entry.calls, 0)
    else:
        tokens = None if entry.unmetered_calls else entry.input_tokens + entry.output_tokens
        yield _charge(entry, (None, tokens, None, entry.cost_pico), entry.calls, entry.unpriced_calls)


def _charge(
    entry: ExportedEntry, priced: tuple[str | None, int | None, int | None, int | None], calls: int, unpriced: int
) -> Charge:
    start = entry.event_time.replace(microsecond=0)
    corrects = entry.revision > 1
    return Charge(
        start,
        start + SECOND,
        corrects,
        corrects and _month(entry.recorded_at) > _month(entry.event_time),
        *entry[6:16],
        *priced,
        calls,
        unpriced,
        entry.trace_id,
        entry.span_id,
        entry.revision,
    )


def _month(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month

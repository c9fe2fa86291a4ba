"""What can be asked of the ledger in general: which groups over which window, and what comes back, page by page.

Reading is left to ``ledger``, the cursor's text to ``query_api``.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from finops.reports import Filters, Totals
from finops.time_windows import TimeWindow

GROUPS = ("org", "team", "agent", "user", "session", "environment", "provider", "model", "operation", "service")
"""What spend can be grouped by, in the order of a row's names."""
ONLY_IN_ENTRIES = frozenset({"user", "session"})
"""Not in the sums by quarter hour: such groups are summed from single entries."""


class EntriesGone(Exception):
    """The question needs single entries from before the instant since which they are kept."""

    def __init__(self, since: datetime) -> None:
        super().__init__(since.isoformat())
        self.since = since


class Place(NamedTuple):
    """The last row of a page: the next one begins behind it."""

    step: int
    cost_rank: int
    """The cost in pico-USD, -1 where unknown; 0 where rows are in the order of their names."""
    names: tuple[str, ...]
    """By ``GROUPS``; '' where not grouped by it."""


class CostQuestion(NamedTuple):
    """One question."""

    window: TimeWindow
    groups: frozenset[str]
    steps: tuple[datetime, ...]
    """First instants; one step where the window is not divided."""
    filters: Filters
    limit: int
    dearest_first: bool
    after: Place | None = None

    @property
    def needs_entries(self) -> bool:
        """Whether sums cannot answer it."""
        return not ONLY_IN_ENTRIES.isdisjoint(self.groups)


class CostRow(NamedTuple):
    """One group in one step."""

    step: int
    """Counted from 0."""
    names: tuple[str, ...]
    totals: Totals
    agent_runs: int
    tool_calls: int


class CostPage(NamedTuple):
    """A page of rows, and the sums over all pages."""

    rows: Sequence[CostRow]
    more: bool
    totals: Totals
    agent_runs: int
    tool_calls: int
    unmetered_calls: int
    """Of the calls: their senders stated no usage."""
    identifiers_since: datetime | None = None
    """Before it, users and sessions in the page have lost their names; None: all have theirs."""

    def next_place(self, *, dearest_first: bool) -> Place | None:
        """Where the next page begins; None: this was the last."""
        if not self.more:
            return None
        last = self.rows[-1]
        cost = -1 if last.totals.cost_pico is None else last.totals.cost_pico
        return Place(last.step, cost if dearest_first else 0, last.names)

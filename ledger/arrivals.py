"""Keeps count of what arrived, by quarter hour, organisation and outcome; and keeps what could not be believed."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from finops.postings import DEFAULT_ORG
from finops.spans import AppendOutcome, Rejected, SpanClass, SpanRecord
from finops.trace_node import Node
from ledger import mapping
from ledger.pool import Connection
from ledger.settling import org_of
from ledger.sums import QUARTER_HOUR_NS, Verdicts
from sql import query

NaiveCost = Callable[[SpanRecord, int], int | None]
"""What a naive sum would add for a span at its event time, in pico-USD; None: no usage stated, or no price."""

Timed = Sequence[tuple[SpanRecord, int]]
"""Spans with their event times, Unix ns."""


class Counted(NamedTuple):
    """Spans of one organisation with one outcome."""

    spans: int = 0
    would_cost_pico: int = 0
    unpriced_spans: int = 0

    def plus(self, spans: int, cost_pico: int, unpriced: int) -> "Counted":
        """With some more."""
        return Counted(self.spans + spans, self.would_cost_pico + cost_pico, self.unpriced_spans + unpriced)


Counts = dict[tuple[str, str], Counted]
"""By organisation and outcome."""


def outcome_of(
    batch: Sequence[SpanRecord],
    rejected: Sequence[Rejected],
    fresh: Sequence[Node],
    redelivered: int,
    conflicts: int,
) -> AppendOutcome:
    """What became of a batch, in all."""
    ignored = sum(1 for node in fresh if node.record.span_class is SpanClass.PLAIN)
    received = len(batch) + len(rejected)
    return AppendOutcome(received, len(fresh) - ignored, redelivered, len(rejected), ignored, conflicts)


def counts_of(
    batch: Timed, rejected: Sequence[Rejected], fresh: Sequence[Node], outcome: AppendOutcome, cost: NaiveCost
) -> Counts:
    """What became of a batch by organisation; conflicts stand under its first span's."""
    suspense = Counter(refused.tenant or DEFAULT_ORG for refused in rejected)
    received = Counter(org_of(record) for record, _ in batch) + suspense
    ignored = Counter(org_of(node.record) for node in fresh if node.record.span_class is SpanClass.PLAIN)
    posted = Counter(org_of(node.record) for node in fresh) - ignored
    kinds = {"received": received, "posted": posted, "suspense": suspense, "ignored": ignored}
    counts: Counts = {(org_id, kind): Counted(spans) for kind, orgs in kinds.items() for org_id, spans in orgs.items()}
    if outcome.redelivered:
        for record, event_ns in _redelivered(batch, fresh):
            cost_pico, key = cost(record, event_ns), (org_of(record), "redelivered")
            unpriced = record.usage is not None and cost_pico is None
            counts[key] = counts.get(key, Counted()).plus(1, cost_pico or 0, int(unpriced))
    if outcome.conflicts:
        counts[org_of(batch[0][0]), "conflicts"] = Counted(outcome.conflicts)
    return counts


def _redelivered(batch: Timed, fresh: Iterable[Node]) -> list[tuple[SpanRecord, int]]:
    """Every arrival of a span but its first."""
    first = {node.record[:3] for node in fresh}
    found: list[tuple[SpanRecord, int]] = []
    for item in batch:
        identity = item[0][:3]
        if identity in first:
            first.discard(identity)
        else:
            found.append(item)
    return found


async def write_verdicts(connection: Connection, found: Verdicts, arrived_ns: int) -> None:
    """Adds what is said of new spans to their quarter hour of arrival."""
    if found:
        columns = zip(*found.values(), strict=True)
        await connection.execute(
            query("add_verdicts"),
            {
                "bucket": mapping.time_of(arrived_ns - arrived_ns % QUARTER_HOUR_NS),
                "orgs": [org_id for org_id, _ in found],
                "verdicts": [verdict for _, verdict in found],
                **dict(zip(("spans", "would_cost_pico", "unpriced_spans"), map(list, columns), strict=True)),
            },
        )


async def write_intake(connection: Connection, counts: Counts, rejected: Sequence[Rejected], arrived_ns: int) -> None:
    """Adds the counts to their quarter hour of arrival, and keeps refused spans."""
    await connection.execute(
        query("count_intake"),
        {
            "bucket": mapping.time_of(arrived_ns - arrived_ns % QUARTER_HOUR_NS),
            "orgs": [org_id for org_id, _ in counts],
            "outcomes": [outcome for _, outcome in counts],
            "spans": [counted.spans for counted in counts.values()],
            "would_cost_pico": [counted.would_cost_pico for counted in counts.values()],
            "unpriced_spans": [counted.unpriced_spans for counted in counts.values()],
        },
    )
    if rejected:
        await connection.execute(
            query("add_suspense"),
            {
                "arrived_at": mapping.time_of(arrived_ns),
                "tenants": [item.tenant for item in rejected],
                "traces": [item.trace_id for item in rejected],
                "spans": [item.span_id for item in rejected],
                "reasons": [item.reason for item in rejected],
                "details": [item.detail for item in rejected],
                "forms": [item.form for item in rejected],
                "bodies": [item.body for item in rejected],
            },
        )

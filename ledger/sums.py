"""What a set of entries adds to the rollups and to the session slots: one row a key, so a hot key is written once."""

from collections.abc import Iterable, Mapping
from operator import itemgetter

from finops.entries import Entry, Measures
from finops.trace_node import Node
from ledger.mapping import time_of
from ledger.settling import Kept

SLOT_NS = 10 * 10**9
QUARTER_HOUR_NS = 900 * 10**9
DAY_NS = 86_400 * 10**9

GROUP_COLUMNS = (
    "org_id",
    "team_id",
    "agent_id",
    "environment",
    "service",
    "provider",
    "model_id",
    "operation",
)
SUM_COLUMNS = (
    "calls",
    "agent_runs",
    "tool_calls",
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_pico",
    "unpriced_calls",
    "unmetered_calls",
    "cache_hits",
    "cacheable_calls",
    "saved_tokens",
    "semantic_savings_pico",
    "prompt_savings_pico",
)
_SUMMED = tuple(Measures._fields.index(name) for name in SUM_COLUMNS)
_summed = itemgetter(*_SUMMED)

Columns = Mapping[str, list[object]]
Key = tuple[object, ...]
"""A bucket's beginning in Unix nanoseconds, and then the ``GROUP_COLUMNS``."""
Sums = Mapping[Key, tuple[int, ...]]
"""In the order of ``SUM_COLUMNS``."""


def rollup(entries: Iterable[Entry], width_ns: int) -> Sums:
    """Sums by bucket of ``width_ns`` and belongings."""
    together: dict[Key, list[tuple[int, ...]]] = {}
    for entry in entries:
        event_ns = entry.event_ns
        org, team, agent, _, _, environment, service, provider, model, operation = entry.belongings
        key = (event_ns - event_ns % width_ns, org, team, agent, environment, service, provider, model, operation)
        known = together.get(key)
        if known is None:
            together[key] = [_summed(entry.measures)]
        else:
            known.append(_summed(entry.measures))
    return {key: _added(rows) for key, rows in together.items()}


def _added(rows: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Sums of the columns; what is not known adds nothing."""
    if len(rows) == 1:
        return tuple([value or 0 for value in rows[0]])
    return tuple(
        [sum(column) if None not in column else sum(filter(None, column)) for column in zip(*rows, strict=True)]
    )


def wider(sums: Sums, width_ns: int) -> Sums:
    """The same by larger buckets, which hold the smaller ones whole."""
    together: dict[Key, list[tuple[int, ...]]] = {}
    for key, row in sums.items():
        bucket = _bucket(key)
        together.setdefault((bucket - bucket % width_ns, *key[1:]), []).append(row)
    return {key: _added(rows) for key, rows in together.items()}


def columns(sums: Sums) -> Columns:
    """As columns, without what comes to nothing."""
    rows = [(time_of(_bucket(key)), *key[1:], *values) for key, values in sums.items() if any(values)]
    return {name: [row[at] for row in rows] for at, name in enumerate(("bucket", *GROUP_COLUMNS, *SUM_COLUMNS))}


def _bucket(key: Key) -> int:
    bucket = key[0]
    assert isinstance(bucket, int)
    return bucket


Verdicts = Mapping[tuple[str, str], tuple[int, int, int]]
"""By organisation and verdict: spans, what a naive sum adds for them (pico-USD), and for how many it knows nothing."""


def verdicts(nodes: Iterable[Node], kept: Mapping[int, Kept]) -> Verdicts:
    """Of new spans. ``kept`` is by the id() of the node. What is unknown: as ``is_unpriced`` of the database says."""
    together: dict[tuple[str, str], tuple[int, int, int]] = {}
    for node in nodes:
        org_id, cost_pico = kept[id(node)]
        key = (org_id, node.verdict)
        spans, known, unknown = together.get(key, (0, 0, 0))
        if cost_pico is None and (node.verdict == "noUsage" or node.record.usage is not None):
            unknown += 1
        together[key] = (spans + 1, known + (cost_pico or 0), unknown)
    return together


def slots(entries: Iterable[Entry]) -> Columns:
    """What calls add to the slots of their sessions, as columns.

    Moments are microseconds since 1970, which are written and read several times as fast as dates.
    """
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for entry in entries:
        measures = entry.measures
        # An entry without a call has no cost that a session spends, but for savings it may have one of 0.
        if not measures.calls:
            continue
        who, event_ns = entry.belongings, entry.event_ns
        key = (who.org_id, who.session_id, who.agent_id, event_ns - event_ns % SLOT_NS)
        known = sums.get(key)
        if known is None:
            sums[key] = [measures.calls, measures.cost_pico or 0, measures.unpriced_calls, event_ns, event_ns]
            continue
        known[0] += measures.calls
        known[1] += measures.cost_pico or 0
        known[2] += measures.unpriced_calls
        known[3], known[4] = min(known[3], event_ns), max(known[4], event_ns)
    rows = [(*key[:3], key[3] // 1000, *row[:3], row[3] // 1000, row[4] // 1000) for key, row in sums.items()]
    names = ("org_id", "session_id", "agent_id", "slot", "calls", "cost_pico", "unpriced_calls", "first_at", "last_at")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}

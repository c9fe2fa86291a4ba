"""What a set of entries adds to the rollups and to the session slots: one row a key, so a hot key is written once."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from finops.entries import Entry, Measures
from ledger.mapping import time_of

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

Columns = Mapping[str, list[object]]


def rollup(entries: Iterable[Entry], width_ns: int) -> Columns:
    """Sums of ``entries`` by bucket of ``width_ns`` and belongings, as columns."""
    sums: dict[tuple[object, ...], list[int]] = {}
    for entry in entries:
        who = entry.belongings
        key = (
            entry.event_ns - entry.event_ns % width_ns,
            who.org_id,
            who.team_id,
            who.agent_id,
            who.environment,
            who.service,
            who.provider,
            who.model_id,
            who.operation,
        )
        values = [entry.measures[at] or 0 for at in _SUMMED]
        known = sums.get(key)
        sums[key] = values if known is None else [a + b for a, b in zip(known, values, strict=True)]
    return _columns(sums)


def _columns(sums: Mapping[tuple[object, ...], list[int]]) -> Columns:
    names = ("bucket", *GROUP_COLUMNS, *SUM_COLUMNS)
    columns: dict[str, list[object]] = {name: [] for name in names}
    for key, values in sums.items():
        if any(values):
            bucket = key[0]
            assert isinstance(bucket, int)
            for name, value in zip(names, (time_of(bucket), *key[1:], *values), strict=True):
                columns[name].append(value)
    return columns


def slots(entries: Iterable[Entry]) -> Columns:
    """What calls add to the slots of their sessions, as columns."""
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    seen: dict[tuple[str, str, str, int], tuple[int, int]] = {}
    for entry in entries:
        measures, who = entry.measures, entry.belongings
        if not measures.calls:
            continue
        key = (who.org_id, who.session_id, who.agent_id, entry.event_ns - entry.event_ns % SLOT_NS)
        values = sums.setdefault(key, [0, 0, 0])
        for at, value in enumerate((measures.calls, measures.cost_pico or 0, measures.unpriced_calls)):
            values[at] += value
        first, last = seen.get(key, (entry.event_ns, entry.event_ns))
        seen[key] = (min(first, entry.event_ns), max(last, entry.event_ns))
    rows = [(*key[:3], time_of(key[3]), *sums[key], *_moments(seen[key])) for key in sums]
    names = ("org_id", "session_id", "agent_id", "slot", "calls", "cost_pico", "unpriced_calls", "first_at", "last_at")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _moments(seen: tuple[int, int]) -> tuple[datetime, datetime]:
    return time_of(seen[0]), time_of(seen[1])

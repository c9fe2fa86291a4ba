"""What a set of entries adds to the rollups and to the session slots: one row a key, so a hot key is written once."""

from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import NamedTuple

from finops.entries import Belongings, Entry, Measures
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
_summed = itemgetter(*_SUMMED)
_CALLS, _COST, _UNPRICED = (SUM_COLUMNS.index(name) for name in ("calls", "cost_pico", "unpriced_calls"))
_grouped = attrgetter(*GROUP_COLUMNS)

Columns = Mapping[str, list[object]]
Key = tuple[object, ...]
"""A bucket's beginning in Unix nanoseconds, and then the ``GROUP_COLUMNS``."""
Sums = Mapping[Key, tuple[int, ...]]
"""In the order of ``SUM_COLUMNS``."""


class Group(NamedTuple):
    """Entries of one slot of ten seconds that belong to one session, agent, model and so on."""

    slot_ns: int
    who: Belongings
    sums: tuple[int, ...]
    """In the order of ``SUM_COLUMNS``."""
    slot: tuple[int, int, int, int, int] | None
    """Calls, pico-USD, unpriced calls, first and last moment (Unix ns) of its calls; None where it has none."""


def groups(entries: Iterable[Entry]) -> list[Group]:
    """``entries`` added up as far as every sum over them allows."""
    together: dict[tuple[int, Belongings], list[Entry]] = {}
    for entry in entries:
        key = (entry.event_ns // SLOT_NS, entry.belongings)
        known = together.get(key)
        if known is None:
            together[key] = [entry]
        else:
            known.append(entry)
    return [_group(slot * SLOT_NS, who, members) for (slot, who), members in together.items()]


def _group(slot_ns: int, who: Belongings, members: list[Entry]) -> Group:
    rows = [_summed(entry.measures) for entry in members]
    sums = _added(rows)
    called = [at for at, row in enumerate(rows) if row[_CALLS]]
    if not called:
        return Group(slot_ns, who, sums, None)
    moments = [members[at].event_ns for at in called]
    # An entry without a call has no cost that a session spends, but for savings it may have one of 0.
    calls, cost, unpriced = (sum(rows[at][column] or 0 for at in called) for column in (_CALLS, _COST, _UNPRICED))
    return Group(slot_ns, who, sums, (calls, cost, unpriced, min(moments), max(moments)))


def _added(rows: list[tuple[int, ...]]) -> tuple[int, ...]:
    """Sums of the columns; what is not known adds nothing."""
    if len(rows) == 1:
        return tuple([value or 0 for value in rows[0]])
    return tuple(
        [sum(column) if None not in column else sum(filter(None, column)) for column in zip(*rows, strict=True)]
    )


def rollup(found: Iterable[Group], width_ns: int) -> Sums:
    """Sums by bucket of ``width_ns`` and belongings."""
    together: dict[Key, list[tuple[int, ...]]] = {}
    for group in found:
        key = (group.slot_ns - group.slot_ns % width_ns, *_grouped(group.who))
        together.setdefault(key, []).append(group.sums)
    return {key: _added(rows) for key, rows in together.items()}


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


def slots(found: Iterable[Group]) -> Columns:
    """What calls add to the slots of their sessions, as columns."""
    sums: dict[tuple[str, str, str, int], list[int]] = {}
    for group in found:
        if group.slot is None:
            continue
        key = (group.who.org_id, group.who.session_id, group.who.agent_id, group.slot_ns)
        known = sums.get(key)
        if known is None:
            sums[key] = list(group.slot)
            continue
        for at in range(3):
            known[at] += group.slot[at]
        known[3], known[4] = min(known[3], group.slot[3]), max(known[4], group.slot[4])
    rows = [(*key[:3], time_of(key[3]), *sums[key][:3], time_of(sums[key][3]), time_of(sums[key][4])) for key in sums]
    names = ("org_id", "session_id", "agent_id", "slot", "calls", "cost_pico", "unpriced_calls", "first_at", "last_at")
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}

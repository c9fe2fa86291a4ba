"""Checks a live ledger against its invariants: one consistent, read-only look, in bounded time.

Which invariants there are is ``finops.invariants``'; nothing is mended here, because money is never mended silently.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from psycopg.errors import QueryCanceled

from finops import invariants
from finops.call_scopes import EveryScope
from finops.counting import Search, StoredSpan, TraceKey
from finops.entries import Entry
from finops.erasure import Renaming
from finops.invariants import EXAMPLES_MAX, Check, Identity, Invariant, Mismatch
from finops.posting_digests import stands
from finops.price_book import PriceBook
from finops.rates import OperatorRate
from finops.verdicts import Decision
from ledger import append_rows, audit, mapping
from ledger.catalogue import bundled_catalogue
from ledger.erased import being_erased
from ledger.pool import Connection
from ledger.rates import RateStore
from sql import query

QUERIES = {
    invariants.ENTRIES_UNIQUE: "verify_entries_unique",
    invariants.STANDING: "verify_standing",
    invariants.REVERSALS: "verify_reversals",
    invariants.LINES: "verify_lines",
    invariants.USAGE_15M: "verify_usage_15m",
    invariants.USAGE_1D: "verify_usage_1d",
    invariants.USAGE_BLOCKS: "verify_usage_blocks",
    invariants.SLOTS: "verify_slots",
    invariants.INTAKE: "verify_intake",
    invariants.VERDICTS: "verify_verdict_sums",
    invariants.NOT_NEGATIVE: "verify_not_negative",
    invariants.HEADS: "verify_heads",
    invariants.RATES: "verify_rates",
    invariants.TENANTS: "verify_tenants",
    invariants.TOLD_ONCE: "verify_told_once",
}
TRACES_AT_ONCE = 200
OUT_OF_TIME = "out of time"
_TIMEOUT = "select set_config('statement_timeout', %s, true)"


_EVERY_SCOPE = EveryScope()


class Sample(NamedTuple):
    """Which traces are counted again, and how long everything may take."""

    traces_max: int | None
    """None: every trace."""
    seed: int
    seconds_max: float


async def verify(connection: Connection, sample: Sample, monotonic: Callable[[], float]) -> list[Check]:
    """Every invariant as it is found now. ``monotonic`` is seconds. Raises what the driver raises."""
    ends = monotonic() + sample.seconds_max
    async with connection.transaction():
        await connection.execute(query("report_isolation"))
        checks = [await _stored(connection, invariant, ends - monotonic()) for invariant in invariants.STORED]
        checks.append(await _audit(connection, ends - monotonic()))
        look = _Look(connection, await _Prices.of(connection), await being_erased(connection))
        recount = _Recount(look, sample, lambda: ends - monotonic())
        return [*checks, *await recount.run()]


async def _stored(connection: Connection, invariant: Invariant, seconds_left: float) -> Check:
    if seconds_left <= 0:
        return Check(invariant, 0, 0, (), OUT_OF_TIME)
    try:
        async with _limited(connection, seconds_left):
            row = await (await connection.execute(query(QUERIES[invariant]))).fetchone()
    except QueryCanceled:
        return Check(invariant, 0, 0, (), OUT_OF_TIME)
    assert row is not None
    checked, mismatches, examples = row
    assert isinstance(checked, int)
    assert isinstance(mismatches, int)
    assert examples is None or isinstance(examples, list)
    return Check(invariant, checked, mismatches, tuple(examples or ()))


async def _audit(connection: Connection, seconds_left: float) -> Check:
    if seconds_left <= 0:
        return Check(invariants.AUDIT, 0, 0, (), OUT_OF_TIME)
    try:
        async with _limited(connection, seconds_left):
            broken = await audit.first_broken_link(connection)
    except QueryCanceled:
        return Check(invariants.AUDIT, 0, 0, (), OUT_OF_TIME)
    return Check(invariants.AUDIT, 1, 0) if broken is None else Check(invariants.AUDIT, 1, 1, ({"seq": broken},))


@asynccontextmanager
async def _limited(connection: Connection, seconds: float) -> AsyncIterator[None]:
    """A savepoint in which no statement may take longer."""
    async with connection.transaction():
        await connection.execute(_TIMEOUT, [f"{max(1, int(seconds * 1000))}ms"])
        yield


class _Found:
    """How one invariant is found, span by span."""

    def __init__(self, invariant: Invariant) -> None:
        self._invariant = invariant
        self.checked = 0
        self._mismatches = 0
        self._examples: list[Mapping[str, object]] = []

    def note(self, mismatch: Mismatch) -> None:
        """One more that does not hold."""
        self._mismatches += 1
        if len(self._examples) < EXAMPLES_MAX:
            values = mismatch._asdict()
            self._examples.append({**values, "trace_id": mismatch.trace_id.hex(), "span_id": mismatch.span_id.hex()})

    def check(self, unfinished: str) -> Check:
        """As far as was looked."""
        return Check(self._invariant, self.checked, self._mismatches, tuple(self._examples), unfinished)


class _Prices(NamedTuple):
    """Every rate that was ever stated, and the catalogue alone."""

    versions: Mapping[int, OperatorRate]
    catalogue: PriceBook

    @classmethod
    async def of(cls, connection: Connection) -> "_Prices":
        versions = await RateStore().versions(connection)
        return cls({rate.version: rate for rate in versions}, PriceBook(bundled_catalogue()))


class _Look(NamedTuple):
    """What counting again needs to know of the ledger."""

    connection: Connection
    prices: _Prices
    renaming: Renaming


class _Recount:
    """Counts stored traces again, some at a time, with whatever holds copies of their calls."""

    def __init__(self, look: _Look, sample: Sample, seconds_left: Callable[[], float]) -> None:
        self._connection, self._prices, self._renaming = look
        self._sample = sample
        self._seconds_left = seconds_left
        self._recounted = _Found(invariants.RECOUNT)
        self._priced = _Found(invariants.PRICES)

    async def run(self) -> list[Check]:
        keys = await self._traces()
        for at in range(0, len(keys), TRACES_AT_ONCE):
            if self._seconds_left() <= 0:
                return self._checks(f"{OUT_OF_TIME} after {at} of {len(keys)} traces")
            await self._recount(keys[at : at + TRACES_AT_ONCE])
        return self._checks("")

    def _checks(self, unfinished: str) -> list[Check]:
        return [self._recounted.check(unfinished), self._priced.check(unfinished)]

    async def _traces(self) -> list[TraceKey]:
        values = {"seed": self._sample.seed, "traces": self._sample.traces_max}
        rows = await (await self._connection.execute(query("verify_traces"), values, binary=True)).fetchall()
        return [(str(tenant), bytes(trace_id)) for tenant, trace_id in rows]  # type: ignore[call-overload]

    async def _stored(self, keys: Iterable[TraceKey]) -> dict[TraceKey, list[StoredSpan]]:
        wanted = sorted(keys)
        found: dict[TraceKey, list[StoredSpan]] = {key: [] for key in wanted}
        values = {"tenants": [key[0] for key in wanted], "traces": [key[1] for key in wanted]}
        async for row in await self._connection.execute(query("restore_traces"), values, binary=True):
            key, span = mapping.stored_span_from(row)
            found[key].append(span)
        return found

    async def _recount(self, keys: list[TraceKey]) -> None:
        traces = await self._stored(keys)
        counter = invariants.replayed(traces)
        done = Search.nothing()
        while any(search := counter.search(done, _EVERY_SCOPE)):
            others = {
                key for key in await append_rows.traces_with_copies(self._connection, search) if not counter.holds(key)
            }
            for key, spans in (await self._stored(others)).items():
                counter.restore(key, spans)
        decisions = counter.decide()
        stored = {(*key, span.record.span_id): span for key, spans in traces.items() for span in spans}
        self._recounted.checked += len(stored)
        for mismatch in invariants.recount(decisions, stored):
            self._recounted.note(mismatch)
        await self._compare_entries(decisions, stored)

    async def _compare_entries(self, decisions: Iterable[Decision], stored: Mapping[Identity, StoredSpan]) -> None:
        """Compares what stands with what was recounted, where the two agree on there being something."""
        agreed: dict[Identity, Decision] = {}
        for decision in decisions:
            span = stored.get(identity := invariants.identity_of(decision))
            if span and span.posted is not None and stands(decision.posting, span.posted):
                agreed[identity] = decision
        values = {
            "times": [mapping.time_of(stored[identity].event_ns) for identity in agreed],
            "tenants": [identity[0] for identity in agreed],
            "traces": [identity[1] for identity in agreed],
            "spans": [identity[2] for identity in agreed],
            "revisions": [stored[identity].revision for identity in agreed],
        }
        rows = await (await self._connection.execute(query("standing_entries"), values)).fetchall()
        for entry in map(mapping.entry_from, rows):
            decision = agreed.pop((entry.tenant, entry.trace_id, entry.span_id))
            assert decision.posting is not None
            posting, renamed = self._renaming.of_posting(decision.posting), self._renaming.of_entry(entry)
            for mismatch in invariants.entry_mismatches(posting, renamed):
                self._recounted.note(mismatch)
            self._price(entry)
        for identity in agreed:
            self._recounted.note(Mismatch(*identity, "entry", "none", "one"))

    def _price(self, entry: Entry) -> None:
        priced = invariants.price_by_version(entry, *self._prices)
        if priced is not None:
            self._priced.checked += 1
            if mismatch := invariants.price_mismatch(entry, priced):
                self._priced.note(mismatch)

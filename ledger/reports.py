"""What was spent, by day, agent, model and cache: sums over the rollups, exact, in pico-USD.

Whole UTC days are read from the sums by day, blocks (``finops.blocks``) from theirs, and everything else from the
quarter hours, which serve every time zone; so are the newest days, where their sums would only be made when they are
read.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from finops.blocks import Cover, Stretch, pieces
from finops.overview import NamedDay, Sums
from finops.periods import Period, hours_of
from finops.ratios import share
from finops.reports import AgentActivity, AgentDay, AgentSpend, CacheStep, Filters, Lifetime, ModelSpend, Stated, Totals
from finops.roi import CacheMoney
from ledger.block_calendars import ZONES_MAX, WantedZones
from ledger.blocks import cover_values, covered
from ledger.pool import Pool
from ledger.reading import Look, Row, filter_values, look, reaching, totals
from ledger.storage_state import storage_state
from sql import query

QUARTER = timedelta(minutes=15)
DEAREST_SINCE = timedelta(minutes=3)
"""The dearest embedding call is that of the last three minutes, as Micrometer's rings of one minute keep it."""


class Reports:
    """The cost reports over one pool. Every method raises ``LedgerUnavailable`` where it cannot answer."""

    def __init__(self, pool: Pool, zones_max: int = ZONES_MAX) -> None:
        self._pool = pool
        self._zones = WantedZones(pool, zones_max)

    async def trends(self, period: Period, filters: Filters) -> Stated[list[AgentDay]]:
        """Spend by day and agent; days ascending, then the dearest first."""
        days = pieces(period.starts, period.end, period.zone)
        async with self._zones.look(period.zone, days) as (ledger, found):
            values = period_values(period, filters, found) | {"starts": list(period.starts)}
            rows = await ledger.rows("report_trends", values)
        return Stated([_agent_day(period, row) for row in rows], ledger.complete_through, ledger.pending_ranges)

    async def allocations(self, period: Period, filters: Filters) -> Stated[list[AgentSpend]]:
        """Spend by agent, the dearest first."""
        async with look(self._pool) as ledger:
            found = await covered(ledger, [whole(period)])
            answer = await agents_in(ledger, period_values(period, filters, found))
        return Stated(answer, ledger.complete_through, ledger.pending_ranges)

    async def models(self, period: Period, filters: Filters) -> Stated[list[ModelSpend]]:
        """Spend by provider and model, the dearest first."""
        async with look(self._pool) as ledger:
            found = await covered(ledger, [whole(period)])
            answer = await models_in(ledger, period_values(period, filters, found))
        return Stated(answer, ledger.complete_through, ledger.pending_ranges)

    async def days(self, period: Period, filters: Filters) -> Stated[list[NamedDay]]:
        """Spend by day, in order of time, all names together; days without any are left out."""
        asked = pieces(period.starts, period.end, period.zone)
        async with self._zones.look(period.zone, asked) as (ledger, found):
            answer = await days_in(ledger, period, period_values(period, filters, found), "", ())
        return Stated(answer, ledger.complete_through, ledger.pending_ranges)

    async def cache_impact(self, period: Period, filters: Filters, *, hourly: bool) -> Stated[list[CacheStep]]:
        """What caching did, by day of the period's zone or by hour; steps in which nothing happened are left out."""
        starts = hours_of(period) if hourly else period.starts
        steps = pieces(starts, period.end, period.zone)
        async with self._zones.look(period.zone, steps) as (ledger, found):
            values = period_values(period, filters, found) | {"starts": list(starts)}
            rows = await ledger.rows("report_cache_impact", values)
        answer = [CacheStep(starts[row[0] - 1], row[1], row[2], int(row[3]), _cache_money(row[4:])) for row in rows]
        return Stated(answer, ledger.complete_through, ledger.pending_ranges)

    async def cache_money(self, start: datetime, end: datetime, filters: Filters) -> Stated[CacheMoney]:
        """Savings and the cost of embeddings from ``start`` (exactly) until before ``end``."""
        first = min(_next_quarter(start), end)
        values = filter_values(filters) | {"start": start, "first_bucket": first}
        async with look(self._pool) as ledger:
            values |= cover_values(await covered(ledger, [Stretch(first, end)]))
            row = await ledger.row("report_cache_money", values)
        return Stated(_cache_money(row), ledger.complete_through, ledger.pending_ranges)

    async def started_at(self) -> datetime | None:
        """When the application last started; None where no start was ever recorded."""
        async with look(self._pool) as ledger:
            row = await ledger.row("service_started_at", {})
        started: datetime | None = row[0]
        return started

    async def record_start(self, service: str, at: datetime) -> None:
        """Remembers that ``service`` started."""
        async with reaching(self._pool) as connection:
            await connection.execute(query("record_service_start"), {"service": service, "started_at": at})

    async def lifetime(self, now: datetime, filters: Filters) -> Lifetime:
        """Sums over everything ever recorded, for counters."""
        values = filter_values(filters) | {"max_since": now - DEAREST_SINCE}
        async with look(self._pool) as ledger:
            activity = await ledger.rows("report_lifetime_activity", values)
            money = await ledger.row("report_lifetime_money", values)
        return Lifetime([AgentActivity(*row) for row in activity], *(int(value) for value in money))

    async def storage(self) -> Mapping[str, object]:
        """How the ledger is stored and whether it keeps up, as plain values, once the database answers."""
        return await storage_state(self._pool)


def whole(period: Period) -> Stretch:
    """A period that is not cut into days."""
    return Stretch(period.start, period.end)


def period_values(period: Period, filters: Filters, found: Cover) -> dict[str, object]:
    """A period, and where its sums are read, and filters as the queries name them."""
    return filter_values(filters) | {"start": period.start, "end": period.end} | cover_values(found)


async def agents_in(ledger: Look, values: Mapping[str, object]) -> list[AgentSpend]:
    """Spend by agent, the dearest first."""
    rows = await ledger.rows("report_allocations", values)
    spent = [totals(row[2:10]) for row in rows]
    return [
        AgentSpend(row[0], row[1], own, row[10], row[11], share(own.cost_pico, _priced(spent)))
        for row, own in zip(rows, spent, strict=True)
    ]


async def models_in(ledger: Look, values: Mapping[str, object]) -> list[ModelSpend]:
    """Spend by provider and model, the dearest first."""
    rows = await ledger.rows("report_models", values)
    spent = [totals(row[2:10]) for row in rows]
    return [
        ModelSpend(row[0], row[1], own, share(own.cost_pico, _priced(spent)))
        for row, own in zip(rows, spent, strict=True)
    ]


async def days_in(
    ledger: Look, period: Period, values: Mapping[str, object], kind: str, names: Sequence[str]
) -> list[NamedDay]:
    """Spend by day and by the ``names`` of a kind, which may be ''; the others are one."""
    asked = {"starts": list(period.starts), "kind": kind, "names": list(names)}
    rows = await ledger.rows("report_days", {**values, **asked})
    return [NamedDay(period.days[row[0] - 1], row[1], Sums(*map(int, row[2:]))) for row in rows]


def _agent_day(period: Period, row: Row) -> AgentDay:
    return AgentDay(period.days[row[0] - 1], row[1], row[2], totals(row[3:11]), row[11], row[12])


def _cache_money(columns: Sequence[Any]) -> CacheMoney:
    return CacheMoney(*(int(value) for value in columns))


def _priced(spent: Sequence[Totals]) -> int:
    return sum(own.cost_pico or 0 for own in spent)


def _next_quarter(instant: datetime) -> datetime:
    """The first quarter hour at or after the instant."""
    origin = datetime(2000, 1, 1, tzinfo=UTC)
    return origin - ((origin - instant) // QUARTER) * QUARTER

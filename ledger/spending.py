"""What was spent in a period by those a budget counts: exact, from the ledger, as of one moment.

Organisations, teams, agents, models and environments are read from the sums, and where late entries are not in those
yet, from the entries. Sessions and users are known to entries only. What a budget makes of it is left to ``finops``.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from finops.budget_periods import Span
from finops.budgets import BudgetScope, Dimension, Spend
from ledger.pool import Connection, Pool
from ledger.reading import Look, Row, Statement, at_once
from sql import query

MEMBERS_MAX = 10_000
"""Members of one budget in one answer; those that spent most are kept."""

_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)
_ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)
_BY_CALL = (Dimension.SESSION, Dimension.USER)


def knows_calls(scope: BudgetScope, each: Dimension | None) -> bool:
    """Whether the sums cannot answer, because sessions or users are asked for."""
    return each in _BY_CALL or scope.session is not None or scope.user is not None


async def spend(ledger: Look, scope: BudgetScope, span: Span) -> Spend:
    """What all calls in ``scope`` cost together."""
    found = await spend_by_member(ledger, scope, None, span, 1)
    return found.get("") or Spend(complete=await _complete(ledger, scope, None, span))


async def spend_by_member(
    ledger: Look, scope: BudgetScope, each: Dimension | None, span: Span, limit: int = MEMBERS_MAX
) -> dict[str, Spend]:
    """What the calls of each member cost, the highest first; members without a call are left out."""
    rows = await ledger.rows(*_statement(scope, each, span, limit, late=bool(ledger.pending_ranges)))
    return _spends(rows, await _complete(ledger, scope, each, span))


class Group(NamedTuple):
    """Members of one budget in one period."""

    scope: BudgetScope
    each: Dimension | None
    members: tuple[str, ...]
    """'' where all count together."""
    span: Span

    @property
    def asked(self) -> tuple[str, ...]:
        """The members that can have spent: those in the scope."""
        inside = None if self.each is None else getattr(self.scope, self.each.value)
        return self.members if inside is None else tuple(member for member in self.members if member in inside)

    def statement(self, *, late: bool) -> Statement:
        """What to ask; ``late``: while late entries wait to be summed."""
        if self.each is None:
            return _statement(self.scope, None, self.span, 1, late=late)
        scope = self.scope._replace(**{self.each.value: self.asked})
        return _statement(scope, self.each, self.span, len(self.asked), late=late)


async def spends_of_groups(pool: Pool, groups: Sequence[Group]) -> list[dict[str, Spend]]:
    """What the members of every group have spent, those without a call included; as of one moment, asked at once."""
    late = False
    while True:
        statements = [one.statement(late=late) for one in groups]
        found = await at_once(pool, [*statements, ("entries_since", {})])
        if late or not found.pending_ranges or all(knows_calls(one.scope, one.each) for one in groups):
            break
        late = True
    *answers, kept = found.rows
    return [_of_group(one, rows, _kept_since(kept, one.span)) for one, rows in zip(groups, answers, strict=True)]


def _of_group(group: Group, rows: Sequence[Row], kept: bool) -> dict[str, Spend]:
    complete = kept or not knows_calls(group.scope, group.each)
    found = _spends(rows, complete)
    return {member: found.get(member, Spend(complete=complete)) for member in group.members}


async def members_since(
    connection: Connection, scope: BudgetScope, each: Dimension, span: Span, recorded_since: datetime
) -> list[str]:
    """Sessions or users of whom something of ``span`` was recorded since then."""
    values = {**scope._asdict(), "start": span.start, "end": span.end, "each": each.value}
    values |= {"recorded_since": int(recorded_since.timestamp()), "limit": MEMBERS_MAX}
    rows = await (await connection.execute(query("spend_members_since"), _lists(values))).fetchall()
    return [str(row[0]) for row in rows]


def _statement(scope: BudgetScope, each: Dimension | None, span: Span, limit: int, *, late: bool) -> Statement:
    return _query_of(scope, each, late=late), spend_values(scope, each, span, limit)


def spend_values(scope: BudgetScope, each: Dimension | None, span: Span, limit: int) -> dict[str, object]:
    """Who and when, as the queries name it."""
    return _lists({**scope._asdict(), **bounds(span), "each": None if each is None else each.value, "limit": limit})


def _query_of(scope: BudgetScope, each: Dimension | None, *, late: bool) -> str:
    if not knows_calls(scope, each):
        return "spend_by_group_late" if late else "spend_by_group"
    if scope.session is not None:
        return "spend_of_sessions"
    return "spend_of_users" if scope.user is not None and "" not in scope.user else "spend_by_call"


def _spends(rows: Sequence[Row], complete: bool) -> dict[str, Spend]:
    return {row[0]: Spend(int(row[1]), row[2], row[3], complete) for row in rows}


def bounds(span: Span) -> dict[str, datetime]:
    """The period in whole UTC days, and the quarter hours before and after them."""
    first_quarter = min(_next(span.start, _QUARTER), span.end)
    first_day = min(_next(first_quarter, _DAY), span.end)
    last_day = max(_next(span.end - _DAY + timedelta(microseconds=1), _DAY), first_day)
    return {
        "start": span.start,
        "first_quarter": first_quarter,
        "first_day": first_day,
        "last_day": min(last_day, span.end),
        "end": span.end,
    }


def _next(instant: datetime, width: timedelta) -> datetime:
    """The first bucket of ``width`` that begins at or after the instant."""
    return _ORIGIN - ((_ORIGIN - instant) // width) * width


def _lists(values: Mapping[str, object]) -> dict[str, object]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


async def complete(ledger: Look, span: Span) -> bool:
    """Whether every single entry of the period can still be read; sums stay for good, entries need not."""
    return _kept_since(await ledger.rows("entries_since", {}), span)


async def _complete(ledger: Look, scope: BudgetScope, each: Dimension | None, span: Span) -> bool:
    return True if not knows_calls(scope, each) else await complete(ledger, span)


def _kept_since(rows: Sequence[Row], span: Span) -> bool:
    """Whether entries of all of the period are kept, by the rows of ``entries_since``."""
    return all(kept_since is None or kept_since <= span.start for (kept_since,) in rows)

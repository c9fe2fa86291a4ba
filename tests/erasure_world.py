"""A ledger that holds the identifiers of a person and of a session in every place it has, and a search of all of it."""

import base64
import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from alert_world import fired
from budget_world import a_budget
from verify_world import EVERYTHING, checks

from finops.alerts import ANOMALY, BUDGET, Alert, Severity, Silence, alert_key
from finops.budgets import BudgetScope, Dimension
from finops.erasure import ErasureRequest, Kind
from finops.spans import Dimensions, Rejected, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.alert_silences import AlertSilences
from ledger.append import Ledger, Limits
from ledger.budgets import BudgetStore
from ledger.erasing import Erasures
from ledger.pool import Pool
from ledger.rates import RateStore

NOW = datetime(2026, 11, 20, 12, 7, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
HOUR_NS = 3_600 * 10**9
USER, SESSION = "ann.o'neil@example.org", "conversation (ann) 7f3a9c"
OURS, THEIRS = "acme", "zeta"
BY_USER = ErasureRequest(OURS, Kind.USER, USER)
BY_SESSION = ErasureRequest(OURS, Kind.SESSION, SESSION)
BUDGETS = {OURS: str(UUID(int=0xA)), THEIRS: str(UUID(int=0xB))}
SUMS = (
    "calls", "agent_runs", "tool_calls", "input_tokens", "output_tokens", "cost_pico", "unpriced_calls",
    "semantic_savings_pico", "prompt_savings_pico",
)  # fmt: skip


def call(number: int, hours_ago: float = 1.0, **changes: Any) -> SpanRecord:
    """A call of the person in the session, of our organisation; a trace of its own."""
    end_ns = NOW_NS - int(hours_ago * HOUR_NS) + number * 1000
    record = SpanRecord(
        tenant="",
        trace_id=number.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_id=b"",
        span_class=SpanClass.CALL,
        start_ns=end_ns - 10**9,
        end_ns=end_ns,
        scope="openai",
        service="shop",
        operation="chat",
        provider="openai",
        request_model="gpt-4o-mini" if number % 5 else "nobody-knows-7b",
        response_id=f"chatcmpl-{number:012d}",
        usage=TokenUsage(input_tokens=1000 + number, output_tokens=10, cached_input_tokens=number % 100),
        usage_detail=3,
        own=Dimensions(org=OURS, agent="clerk", session=SESSION, user=USER),
    )
    return record._replace(**changes)


def said(**changes: str | None) -> Dimensions:
    """Whose a span is, but for what is changed."""
    return Dimensions(org=OURS, agent="clerk", session=SESSION, user=USER)._replace(**changes)


def story() -> list[SpanRecord]:
    """The person's calls of sixteen days in and out of the session, and every way to come by an identifier."""
    spans = [call(number, 24.0 * number) for number in range(1, 17)]
    spans += [call(number, number / 100, own=said(session=f"s-{number}")) for number in range(20, 30)]
    spans += [call(number, number / 100, own=said(user="bob")) for number in range(30, 40)]
    # A run above its calls: they have both from it. A tenant of its own; the resource says it; a gateway does.
    run = call(100, 2, span_class=SpanClass.AGENT, usage=None, usage_detail=0, response_id=None, agent_run="clerk")
    below = {"trace_id": run.trace_id, "parent_id": run.span_id, "own": Dimensions()}
    spans += [run, call(101, 2.1, **below), call(102, 2.2, **below)]
    spans += [call(110 + number, 3, tenant=OURS) for number in range(4)]
    spans.append(call(120, 3, own=Dimensions(), resource=said()))
    twin = call(130, 4, own=said(session=None, user=None))
    spans += [twin, twin._replace(trace_id=(131).to_bytes(16), scope="gateway", own=said())]
    # A plain link that only says it; and a trace over two organisations, of which the other has it from ours, and back.
    spans.append(call(140, 5, span_class=SpanClass.PLAIN, usage=None, usage_detail=0, response_id=None, provider=None))
    above = call(150, 6, own=said(org=None), resource=Dimensions(org=OURS))
    spans.append(above)
    other = {"trace_id": above.trace_id, "parent_id": above.span_id, "own": Dimensions()}
    spans.append(call(151, 6, **other, resource=Dimensions(org=THEIRS)))
    spans.append(call(152, 6, **other | {"parent_id": (151).to_bytes(8)}, resource=Dimensions(org=OURS)))
    # The same names elsewhere.
    spans += [call(200 + number, number / 10, own=said(org=THEIRS)) for number in range(12)]
    return spans


def refused() -> list[Rejected]:
    """Spans in suspense: two that hold the identifiers, one of the other organisation, one of nobody in particular."""
    body = msgspec.msgpack.encode(call(900))
    theirs = msgspec.msgpack.encode(call(901, own=said(org=THEIRS)))
    return [
        Rejected("bad_usage", f"of {USER} in {SESSION}", b"\1" * 16, b"\1" * 8, OURS, "record", body),
        Rejected("bad_usage", "input_tokens is -5", b"\2" * 16, b"\2" * 8, "", "record", body),
        Rejected("bad_usage", "input_tokens is -5", b"\3" * 16, b"\3" * 8, THEIRS, "record", theirs),
        Rejected("bad_usage", "input_tokens is -5", b"\4" * 16, b"\4" * 8),
    ]


def a_ledger(pool: Pool, writer: int = 1) -> Ledger:
    return Ledger(pool, RateStore(), writer=UUID(int=writer), limits=Limits())


async def written(pool: Pool) -> Ledger:
    """All of it, with a correction; and the collector that remembers the newest of it."""
    ledger, spans = a_ledger(pool), story()
    for at in range(0, len(spans), 9):
        await ledger.append(spans[at : at + 9], refused() if at == 0 else [], NOW_NS)
    late = call(300, 1, span_class=SpanClass.AGENT, usage=None, usage_detail=0, response_id=None, agent_run="late")
    child = call(301, 1, trace_id=late.trace_id, parent_id=late.span_id)
    await ledger.append([child], [], NOW_NS)
    await ledger.append([late._replace(own=Dimensions(org=OURS, agent="late", team="sales"))], [], NOW_NS)
    for org in (OURS, THEIRS):
        await _stated(pool, org)
    return ledger


async def _stated(pool: Pool, org: str) -> None:
    """Budgets, what was told of them, anomalies, alerts and silences about both identifiers."""
    about: Any = {"budget_id": BUDGETS[org], "name": f"{org} people", "each": Dimension.USER}
    await BudgetStore(pool).add(a_budget(scope=BudgetScope(org=(org,), user=(USER, "bob")), **about), 10)
    start = NOW.replace(hour=0, minute=0)
    async with pool.connection() as connection:
        await connection.execute(
            "insert into budget_firings (budget_id, member, period_start, threshold, limit_pico, spent_pico, fired_at) "
            "values (%s, %s, %s, 5000, 10, 7, %s)",
            [BUDGETS[org], USER, start, NOW],
        )
        await connection.execute(
            "insert into anomalies (org_id, session_id, agent_id, severity, rule, opened_at, judged_at, multiplier, "
            "window_seconds, calls, unpriced_calls, peak_spend_pico, last_seen_at, top_calls) "
            "values (%s, %s, 'clerk', 'warning', 'rate', %s, %s, 3, 600, 1, 0, 5, %s, '[]')",
            [org, SESSION, NOW, NOW, NOW],
        )
        await connection.execute(
            "insert into alert_destinations (org_id, name, kind, url, matchers, created_at, updated_at, updated_by) "
            "values (%s, 'hook', 'webhook', 'https://h.example/', %s::jsonb, %s, %s, 'ada')",
            [org, msgspec.json.encode({"sessionId": [SESSION], "userId": ["bob", USER]}).decode(), NOW, NOW],
        )
        await connection.execute("update alert_destinations set matchers = '{}' where org_id = %s", [org])
    await fired(pool, _anomaly(org), NOW)
    await fired(pool, _budget(org, start), NOW)
    async with pool.connection() as connection:
        matchers = msgspec.json.encode({"sessionId": [SESSION], "userId": ["bob", USER]}).decode()
        await connection.execute(
            "update alert_destinations set matchers = %s::jsonb where org_id = %s", [matchers, org]
        )
    silence = Silence(org, {"sessionId": [SESSION], "userId": [USER]}, NOW, NOW + timedelta(hours=1))
    await AlertSilences(pool).create(silence, f"{USER} tests {SESSION} now", "ada", NOW)


def _anomaly(org: str) -> Alert:
    return Alert(
        key=alert_key(ANOMALY, org, SESSION, "clerk"),
        kind=ANOMALY,
        severity=Severity.WARNING,
        org_id=org,
        agent_id="clerk",
        title="A session of clerk burns too fast",
        summary=f"Session {SESSION} of clerk burns 4.2 USD an hour.",
        labels={"sessionId": SESSION},
    )


def _budget(org: str, start: datetime) -> Alert:
    return Alert(
        key=alert_key(BUDGET, BUDGETS[org], USER, "5000", start.isoformat(), "10"),
        kind=BUDGET,
        severity=Severity.WARNING,
        org_id=org,
        title=f"Budget {org} people of user {USER}: 50 % reached",
        summary=f"7 of 10 USD spent of user {USER}; the budget is {org} people.",
        labels={"budgetId": BUDGETS[org], "userId": USER},
    )


async def erased(pool: Pool, request: ErasureRequest, at: datetime = NOW) -> str:
    """Erases to the end; the pseudonym."""
    erasures = Erasures(pool)
    erasure_id = await erasures.start(request, at, actor="ada", reason="asked for")
    await erasures.advance(erasure_id, lambda: at, 10_000)
    found = await erasures.one(UUID(erasure_id))
    assert found is not None
    assert found.finished_at is not None
    return found.pseudonym


async def sums_by(pool: Pool, column: str) -> list[tuple[Any, ...]]:
    """Every sum by organisation and a column, without the column's values: groups stay what they are."""
    summed = ", ".join(f"sum({name})" for name in SUMS)
    async with pool.connection() as connection:
        found = await (
            await connection.execute(f"select org_id, count(*), {summed} from entries group by org_id, {column}")
        ).fetchall()
    return sorted(found, key=repr)


async def holding(pool: Pool) -> list[str]:
    """Invariants that do not hold."""
    return [f"{check.invariant.name}: {check.examples}" for check in await checks(pool, EVERYTHING) if not check.holds]


def places(url: str, words: Sequence[str]) -> dict[str, int]:
    """In which tables, chunks included, a word is found in how many rows: as text, or in bytes."""
    found: dict[str, int] = {}
    wanted = [form for word in words for form in (word, word.encode().hex())]
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "select format('%I.%I', n.nspname, c.relname) from pg_class c "
            "join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'm') "
            "and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
        ).fetchall()
        for (table,) in tables:
            for (text,) in connection.execute(f"select t::text from only {table} t"):
                if any(form in text for form in wanted) or any(
                    word in packed for packed in _packed(text) for word in words
                ):
                    found[table] = found.get(table, 0) + 1
    return found


def _packed(text: str) -> Iterator[str]:
    """What columns of packed chunks hold: they are written in base64."""
    for run in re.findall(r"[A-Za-z0-9+/]{40,}={0,2}", text):
        with contextlib.suppress(ValueError):
            yield base64.b64decode(run, validate=True).decode("latin-1")

"""From spans to drill-down: what the ledger really writes, as the reports tell it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from finops.reports import NO_FILTERS, Filters, UnpricedModel
from finops.spans import Dimensions, SpanClass, SpanRecord
from finops.usage import TokenUsage
from ledger.append import Ledger, Limits
from ledger.pool import Pool
from ledger.rates import RateStore
from ledger.sessions import SessionReports
from query_api.drill_down_answers import SESSION, SPAN, TRACE, UNPRICED_MODEL, price_lines
from query_api.endpoints.drill_down import Drilled
from query_api.wire import encode

NOW = datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
NOW_NS = int(NOW.timestamp()) * 10**9
TRACE_ID = (1).to_bytes(16)
SECOND_NS = 10**9


def call(number: int, parent: int = 0, org: str | None = None) -> SpanRecord:
    """A call of gpt-4o-mini: 1,000 input tokens of which 400 cached, 10 output."""
    return SpanRecord(
        tenant="",
        trace_id=TRACE_ID,
        span_id=number.to_bytes(8),
        parent_id=parent.to_bytes(8) if parent else b"",
        span_class=SpanClass.CALL,
        start_ns=NOW_NS - 2 * SECOND_NS,
        end_ns=NOW_NS - SECOND_NS,
        name="chat gpt-4o-mini",
        scope="openai",
        own=Dimensions(org=org),
        service="shop",
        operation="chat",
        provider="openai",
        request_model="gpt-4o-mini",
        response_model="gpt-4o-mini-2024-07-18",
        usage=TokenUsage(input_tokens=1000, output_tokens=10, cached_input_tokens=400),
        usage_detail=3,
    )


def agent(number: int) -> SpanRecord:
    """The run around the calls; it names agent and session."""
    return call(number)._replace(
        span_class=SpanClass.AGENT,
        end_ns=NOW_NS,
        usage=TokenUsage(input_tokens=1000, output_tokens=10),
        own=Dimensions(agent="clerk", session="conversation-1"),
        agent_run="clerk",
        operation="invoke_agent",
    )


@pytest.fixture
def ledger(ledger_pool: Pool) -> Ledger:
    return Ledger(ledger_pool, RateStore(), writer=UUID(int=1), limits=Limits())


async def test_a_call_that_moves_to_its_session_leaves_nothing_behind(ledger: Ledger, ledger_pool: Pool) -> None:
    sessions = SessionReports(ledger_pool)
    await ledger.append([call(2, parent=1)], [], NOW_NS)
    before = await sessions.active(NOW, 600, 1800, NO_FILTERS)
    assert [row.session_id for row in before.answer.sessions] == [TRACE_ID.hex()]
    await ledger.append([agent(1)], [], NOW_NS)
    after = await sessions.active(NOW, 600, 1800, NO_FILTERS)
    assert [(row.session_id, row.agent_id, row.calls) for row in after.answer.sessions] == [
        ("conversation-1", "clerk", 1)
    ]
    assert (await sessions.session(TRACE_ID.hex(), NO_FILTERS)).answer.calls == []
    by_model = await sessions.active(NOW, 600, 1800, Filters(models=("gpt-4o-mini",)))
    assert [(row.session_id, row.spend_pico) for row in by_model.answer.sessions] == [
        ("conversation-1", after.answer.sessions[0].spend_pico)
    ]


async def test_session_and_trace_tell_the_same_with_lines_and_verdicts(ledger: Ledger, ledger_pool: Pool) -> None:
    await ledger.append([call(2, parent=1), agent(1)], [], NOW_NS)
    sessions = SessionReports(ledger_pool)
    session = (await sessions.session("conversation-1", NO_FILTERS)).answer
    trace = (await sessions.trace(TRACE_ID, NO_FILTERS)).answer
    assert session == trace
    cost = 600 * 150_000 + 400 * 75_000 + 10 * 600_000
    assert (session.totals.calls, session.totals.cost_pico, session.agent_runs) == (1, cost, 1)
    assert {span.verdict for span in session.spans} == {"billed", "agentRun"}
    billed = next(entry for entry in session.calls if entry.totals.calls)
    lines = {str(line["kind"]): line["tokens"] for line in price_lines(billed.detail)}
    assert lines == {"input": 600, "cached": 400, "output": 10}
    told = [SPAN.render(span) for span in session.spans]
    assert {(span["modelId"], span["inputTokens"], span["outputTokens"]) for span in told} == {
        ("gpt-4o-mini-2024-07-18", 1000, 10)
    }
    assert encode(SESSION.render(Drilled("conversation-1", session)))
    assert encode(TRACE.render(Drilled(TRACE_ID.hex(), trace)))


async def test_one_organisation_does_not_see_anothers_spans_of_a_shared_trace(
    ledger: Ledger, ledger_pool: Pool
) -> None:
    await ledger.append([call(2, org="acme"), call(3, org="beta")._replace(start_ns=1, end_ns=NOW_NS)], [], NOW_NS)
    sessions = SessionReports(ledger_pool)
    for org, span in (("acme", 2), ("beta", 3)):
        for found in (
            (await sessions.trace(TRACE_ID, Filters(orgs=(org,)))).answer,
            (await sessions.session(TRACE_ID.hex(), Filters(orgs=(org,)))).answer,
        ):
            assert [row.span_id for row in found.spans] == [span.to_bytes(8).hex()]
            assert [row.org_id for row in found.calls] == [org]
    everything = (await sessions.trace(TRACE_ID, NO_FILTERS)).answer
    assert len(everything.spans) == 2


def test_a_model_nobody_named_is_not_mended_by_a_rate() -> None:
    fix = UNPRICED_MODEL.render(UnpricedModel("openai", "unknown", 2, 10, 5, 0))["fix"]
    assert "gen_ai.request.model" in str(fix)
    assert "PUT" not in str(fix)

"""Sessions that burn as a test says: entries and slots as an append writes them, at any time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ledger.pool import Pool

USD = 10**12


class Spent(NamedTuple):
    """One call of a session."""

    at: datetime
    cost_pico: int | None
    session: str = "session"
    agent: str = "agent"
    org: str = "default"


def calls(first: datetime, count: int, every: float, usd: float, **names: str) -> list[Spent]:
    """Some calls of a session, equally far apart and equally dear."""
    return [Spent(first + timedelta(seconds=every * i), int(usd * USD), **names) for i in range(count)]


_ENTRIES = """
insert into entries (
    event_time, tenant, trace_id, span_id, revision, org_id, team_id, agent_id, session_id, user_id,
    environment, service,
    provider, model_id, operation, calls, agent_runs, tool_calls, input_tokens, cached_input_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, cache_hits,
    cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
)
select
    s.at, '', decode(lpad(to_hex(abs(hashtext(s.session))), 32, '0'), 'hex'),
    decode(lpad(to_hex(s.n + %(first)s), 16, '0'), 'hex'), 1, s.org, '', s.agent, s.session, '', 'prod', 'svc',
    'openai', 'gpt-4o', 'chat', 1, 0, 0, 10, 0, 0, 0, 5, 0, s.cost, (s.cost is null)::int, 0, 0, 0, 0, 0, 0
from unnest(
    %(at)s::timestamptz[], %(cost)s::bigint[], %(session)s::text[], %(agent)s::text[], %(org)s::text[]
) with ordinality as s (at, cost, session, agent, org, n)
"""
_SLOTS = """
insert into session_slots as s (org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at)
select
    n.org, n.session, n.agent, date_bin('10 seconds', n.at, '2000-01-01 00:00:00+00'), count(*),
    coalesce(sum(n.cost), 0), count(*) filter (where n.cost is null), min(n.at), max(n.at)
from unnest(
    %(at)s::timestamptz[], %(cost)s::bigint[], %(session)s::text[], %(agent)s::text[], %(org)s::text[]
) as n (at, cost, session, agent, org)
group by 1, 2, 3, 4
order by 1, 2, 3, 4
on conflict (org_id, session_id, agent_id, slot) do update set
    calls = s.calls + excluded.calls, cost_pico = s.cost_pico + excluded.cost_pico,
    unpriced_calls = s.unpriced_calls + excluded.unpriced_calls,
    first_at = least(s.first_at, excluded.first_at), last_at = greatest(s.last_at, excluded.last_at)
"""
_numbers = iter(range(1, 10**9, 10**6))


async def spend(pool: Pool, spent: Sequence[Spent]) -> None:
    """Writes the calls."""
    columns = {
        "at": [one.at for one in spent],
        "cost": [one.cost_pico for one in spent],
        "session": [one.session for one in spent],
        "agent": [one.agent for one in spent],
        "org": [one.org for one in spent],
    }
    async with pool.connection() as connection, connection.transaction():
        await connection.execute(_ENTRIES, columns | {"first": next(_numbers)})
        await connection.execute(_SLOTS, columns)

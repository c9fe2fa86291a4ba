-- Adds to the spend of sessions in slots of ten seconds, keys in order; moments are microseconds since 1970. Called by
-- ledger.append.
insert into session_slots as s (org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at)
select
    n.org_id, n.session_id, n.agent_id, 'epoch'::timestamptz + n.slot * interval '1 microsecond', n.calls, n.cost_pico,
    n.unpriced_calls, 'epoch'::timestamptz + n.first_at * interval '1 microsecond',
    'epoch'::timestamptz + n.last_at * interval '1 microsecond'
from unnest(
    %(org_id)s::text[], %(session_id)s::text[], %(agent_id)s::text[], %(slot)s::bigint[], %(calls)s::integer[],
    %(cost_pico)s::numeric[], %(unpriced_calls)s::integer[], %(first_at)s::bigint[], %(last_at)s::bigint[]
) as n (org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at)
order by 1, 2, 3, 4
on conflict (org_id, session_id, agent_id, slot) do update set
    calls = s.calls + excluded.calls,
    cost_pico = s.cost_pico + excluded.cost_pico,
    unpriced_calls = s.unpriced_calls + excluded.unpriced_calls,
    first_at = least(s.first_at, excluded.first_at),
    last_at = greatest(s.last_at, excluded.last_at)

-- Adds to the spend of sessions in slots of ten seconds, keys in order. Called by ledger.append.
insert into session_slots as s (org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at)
select n.org_id, n.session_id, n.agent_id, n.slot, n.calls, n.cost_pico, n.unpriced_calls, n.first_at, n.last_at
from unnest(
    %(org_id)s::text[], %(session_id)s::text[], %(agent_id)s::text[], %(slot)s::timestamptz[], %(calls)s::integer[],
    %(cost_pico)s::numeric[], %(unpriced_calls)s::integer[], %(first_at)s::timestamptz[], %(last_at)s::timestamptz[]
) as n (org_id, session_id, agent_id, slot, calls, cost_pico, unpriced_calls, first_at, last_at)
order by 1, 2, 3, 4
on conflict (org_id, session_id, agent_id, slot) do update set
    calls = s.calls + excluded.calls,
    cost_pico = s.cost_pico + excluded.cost_pico,
    unpriced_calls = s.unpriced_calls + excluded.unpriced_calls,
    first_at = least(s.first_at, excluded.first_at),
    last_at = greatest(s.last_at, excluded.last_at)

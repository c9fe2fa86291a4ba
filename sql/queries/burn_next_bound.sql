-- The bound of the first session that report_active_sessions did not sum; nothing where it summed all. Called by
-- ledger.sessions.
select spend_bound_pico
from session_heads
where last_at > %(idle_start)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
order by spend_bound_pico desc, last_at desc, org_id, session_id, agent_id
limit 1 offset %(likely)s

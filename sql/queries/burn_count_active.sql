-- How many sessions are active. Called by ledger.sessions.
select count(*)
from session_heads
where last_at > %(idle_start)s
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))

-- What the sessions of each agent spend inside the window, the fastest agents first. Called by ledger.burn_gauges.
select
    org_id,
    agent_id,
    case when sum(unpriced_calls) < sum(calls) or sum(calls) = 0 then sum(cost_pico) end as spend_pico
from session_slots
where slot > %(window_start)s and slot <= %(now)s and (calls <> 0 or cost_pico <> 0)
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by org_id, agent_id
order by spend_pico desc nulls last, org_id, agent_id

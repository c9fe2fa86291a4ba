-- The active hours of agents, with the baseline that holds now and its multiplier. Called by ledger.agent_hours.
select h.org_id, h.agent_id, h.hour, h.median_pico_per_hour, stated.baseline_pico_per_hour, stated.anomaly_multiplier
from agent_hours h
left join lateral (
    select b.baseline_pico_per_hour, b.anomaly_multiplier
    from baselines b
    where b.agent_id = h.agent_id and b.org_id in (h.org_id, '')
    order by b.org_id desc
    limit 1
) stated on true
where h.hour >= %(oldest)s and h.hour <= %(now)s
    and (%(orgs)s::text[] is null or h.org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or h.agent_id = any(%(agents)s))
order by h.org_id, h.agent_id, h.hour
limit %(limit)s

-- Every baseline that can hold for the organisations and agents. Called by ledger.baselines.
select org_id, agent_id, baseline_pico_per_hour, updated_at, updated_by, anomaly_multiplier
from baselines
where (%(orgs)s::text[] is null or org_id = any(%(orgs)s) or org_id = '')
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
order by agent_id, org_id
limit 10000

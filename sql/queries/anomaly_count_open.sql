-- How many anomalies of each agent are open, by severity. Called by ledger.burn_gauges.
select org_id, agent_id, severity, count(*)
from anomalies
where closed_at is null and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by org_id, agent_id, severity
order by org_id, agent_id, severity

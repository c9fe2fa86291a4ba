-- Agent runs and tool calls since ever, for counters. Called by ledger.reports.
select org_id, agent_id, sum(agent_runs)::bigint as agent_runs, sum(tool_calls)::bigint as tool_calls
from usage_1d
where (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by org_id, agent_id
having sum(agent_runs) <> 0 or sum(tool_calls) <> 0
order by sum(agent_runs) + sum(tool_calls) desc, org_id, agent_id
limit 10000

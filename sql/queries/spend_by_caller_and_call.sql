-- As spend_by_caller, of entries: for budgets of sessions and users, whom the sums do not know. Called by
-- ledger.spending_together.
select
    org_id, team_id, agent_id, model_id, environment, session_id, user_id,
    coalesce(sum(cost_pico), 0) as cost_pico,
    coalesce(sum(calls), 0)::bigint as calls,
    coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls
from entries
where event_time >= %(start)s and event_time < %(end)s and calls <> 0
group by org_id, team_id, agent_id, model_id, environment, session_id, user_id
having sum(calls) <> 0 or sum(cost_pico) <> 0
limit %(limit)s

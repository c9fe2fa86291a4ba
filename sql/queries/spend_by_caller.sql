-- What was spent in a period by everybody the sums can tell apart, for many budgets at once; bounds as in spend_by_group.
-- Right where no late range is pending. Called by ledger.spending_together.
with spending as (
    select org_id, team_id, agent_id, model_id, environment, cost_pico, calls, unpriced_calls
    from usage_1d
    where bucket >= %(first_day)s and bucket < %(last_day)s
    union all
    select org_id, team_id, agent_id, model_id, environment, cost_pico, calls, unpriced_calls
    from usage_15m
    where bucket >= %(first_quarter)s and bucket < %(first_day)s
    union all
    select org_id, team_id, agent_id, model_id, environment, cost_pico, calls, unpriced_calls
    from usage_15m
    where bucket >= %(last_day)s and bucket < %(end)s
    union all
    select org_id, team_id, agent_id, model_id, environment, cost_pico, calls, unpriced_calls
    from entries
    where event_time >= %(start)s and event_time < %(first_quarter)s
)
select
    org_id, team_id, agent_id, model_id, environment, '' as session_id, '' as user_id,
    coalesce(sum(cost_pico), 0) as cost_pico,
    coalesce(sum(calls), 0)::bigint as calls,
    coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls
from spending
group by org_id, team_id, agent_id, model_id, environment
having sum(calls) <> 0 or sum(cost_pico) <> 0
limit %(limit)s

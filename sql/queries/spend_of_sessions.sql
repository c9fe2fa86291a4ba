-- What some sessions spent in a period, found by the index. Called by ledger.spending.
select
    case %(each)s::text
        when 'org' then org_id when 'team' then team_id when 'agent' then agent_id when 'model' then model_id
        when 'environment' then environment when 'session' then session_id when 'user' then user_id else ''
    end as member,
    coalesce(sum(cost_pico), 0) as cost_pico,
    coalesce(sum(calls), 0)::bigint as calls,
    coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls
from entries
where event_time >= %(start)s and event_time < %(end)s and calls <> 0
    and session_id = any(%(session)s)
    and (%(org)s::text[] is null or org_id = any(%(org)s))
    and (%(team)s::text[] is null or team_id = any(%(team)s))
    and (%(agent)s::text[] is null or agent_id = any(%(agent)s))
    and (%(model)s::text[] is null or model_id = any(%(model)s))
    and (%(environment)s::text[] is null or environment = any(%(environment)s))
    and (%(user)s::text[] is null or user_id = any(%(user)s))
group by member
having sum(calls) <> 0 or sum(cost_pico) <> 0
order by cost_pico desc, unpriced_calls desc, member
limit %(limit)s

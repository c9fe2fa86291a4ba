-- What was spent in a period, by one dimension or in all: whole UTC days from the sums by day, the hours around them
-- from the quarter hours, what begins within a quarter hour from entries. Right where no late range is pending.
-- Called by ledger.spending.
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
    case %(each)s::text
        when 'org' then org_id when 'team' then team_id when 'agent' then agent_id when 'model' then model_id
        when 'environment' then environment else ''
    end as member,
    coalesce(sum(cost_pico), 0) as cost_pico,
    coalesce(sum(calls), 0)::bigint as calls,
    coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls
from spending
where true
    and (%(org)s::text[] is null or org_id = any(%(org)s))
    and (%(team)s::text[] is null or team_id = any(%(team)s))
    and (%(agent)s::text[] is null or agent_id = any(%(agent)s))
    and (%(model)s::text[] is null or model_id = any(%(model)s))
    and (%(environment)s::text[] is null or environment = any(%(environment)s))
group by member
having sum(calls) <> 0 or sum(cost_pico) <> 0
order by cost_pico desc, unpriced_calls desc, member
limit %(limit)s

-- As spend_by_group, while ranges of late entries wait to be summed again: those from entries, the rest from the
-- quarter hours. Called by ledger.spending.
with late as (
    select greatest(starts, %(first_quarter)s::timestamptz) as starts, least(ends, %(end)s::timestamptz) as ends
    from dirty_ranges
    where late and starts < %(end)s and ends > %(first_quarter)s
),
quarters as (
    select distinct quarter
    from late
    cross join lateral generate_series(late.starts, late.ends - interval '1 microsecond', interval '15 minutes') as quarter
),
spending as (
    select org_id, team_id, agent_id, model_id, environment, cost_pico, calls, unpriced_calls
    from usage_15m
    where bucket >= %(first_quarter)s and bucket < %(end)s and bucket not in (select quarter from quarters)
    union all
    select fresh.*
    from quarters
    cross join lateral (
        select org_id, team_id, agent_id, model_id, environment, cost_pico, calls, unpriced_calls
        from entries
        where event_time >= quarters.quarter and event_time < quarters.quarter + interval '15 minutes'
        offset 0
    ) as fresh
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

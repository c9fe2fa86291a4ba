-- What each kind of token came to by UTC day and agent, at each unit price; corrections apart from the rest. Called by
-- ledger.exports.
with made as (
    select
        date_bin('1 day', e.event_time, 'epoch') as day, e.revision > 1 as corrects,
        e.revision > 1 and date_trunc('month', e.recorded_at) > date_trunc('month', e.event_time) as closed, e.org_id,
        e.team_id, e.agent_id, e.environment, e.service, e.provider, e.model_id, e.operation, e.calls,
        case when e.unmetered_calls = 0 then e.input_tokens + e.output_tokens end as tokens, e.cost_pico,
        e.unpriced_calls,
        case
            when e.detail ? 'reverses' then (
                select o.detail -> 'lines'
                from entries o
                where o.event_time = e.event_time and o.tenant = e.tenant and o.trace_id = e.trace_id
                    and o.span_id = e.span_id and o.revision = (e.detail ->> 'reverses')::integer
            )
            else e.detail -> 'lines'
        end as lines
    from entries e
    where e.event_time >= %(start)s and e.event_time < %(end)s and e.calls <> 0
        and (%(orgs)s::text[] is null or e.org_id = any(%(orgs)s))
        and (%(agents)s::text[] is null or e.agent_id = any(%(agents)s))
        and (%(models)s::text[] is null or e.model_id = any(%(models)s))
        and (%(environments)s::text[] is null or e.environment = any(%(environments)s))
),
charged as (
    select
        m.day, m.corrects, m.closed, m.org_id, m.team_id, m.agent_id, m.environment, m.service, m.provider, m.model_id,
        m.operation, l.line ->> 'kind' as kind, sign(m.calls) * (l.line ->> 'tokens')::numeric as quantity,
        (l.line ->> 'rateFemto')::numeric as rate_femto, sign(m.calls) * (l.line ->> 'amountPico')::numeric as amount_pico,
        case when l.at = 1 then m.calls else 0 end as calls, 0 as unpriced_calls
    from made m
    cross join lateral jsonb_array_elements(m.lines) with ordinality as l (line, at)
    where jsonb_array_length(m.lines) > 0
    union all
    select
        m.day, m.corrects, m.closed, m.org_id, m.team_id, m.agent_id, m.environment, m.service, m.provider, m.model_id,
        m.operation, case when m.cost_pico = 0 then 'request' end, case when m.cost_pico = 0 then m.calls else m.tokens end,
        case when m.cost_pico = 0 then 0 end, m.cost_pico, m.calls, m.unpriced_calls
    from made m
    where coalesce(jsonb_array_length(m.lines), 0) = 0
)
select
    day, day + interval '1 day' as until, corrects, closed, org_id, team_id, agent_id, '' as session_id, '' as user_id,
    environment, service, provider, model_id, operation, kind, sum(quantity) as quantity, rate_femto,
    sum(amount_pico) as amount_pico, sum(calls)::bigint as calls, sum(unpriced_calls)::bigint as unpriced_calls
from charged
group by
    day, corrects, closed, org_id, team_id, agent_id, environment, service, provider, model_id, operation, kind,
    rate_femto, amount_pico is null, quantity is null
order by
    day, org_id, team_id, agent_id, environment, service, provider, model_id, operation, kind, rate_femto, corrects,
    closed

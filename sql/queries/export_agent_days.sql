-- What each kind of token came to by UTC day and agent, at each unit price; corrections apart from the rest. The lines of a
-- price are written down, or follow from the rate of each kind; each is rounded once, half to even. Called by
-- ledger.exports.
with made as (
    select
        date_bin('1 day', e.event_time, 'epoch') as day, e.revision > 1 as corrects,
        e.revision > 1 and date_trunc('month', to_timestamp(e.recorded_s)) > date_trunc('month', e.event_time) as closed, e.org_id,
        e.team_id, e.agent_id, e.environment, e.service, e.provider, e.model_id, e.operation, e.calls,
        case when e.unmetered_calls = 0 then e.input_tokens + e.output_tokens end as tokens, e.cost_pico,
        e.unpriced_calls,
        e.input_tokens, e.cached_input_tokens, e.cache_write_tokens, e.cache_write_1h_tokens, e.output_tokens,
        e.reasoning_tokens,
        case
            when e.detail ? 'reverses' then (
                select o.detail
                from entries o
                where o.event_time = e.event_time and o.tenant = e.tenant and o.trace_id = e.trace_id
                    and o.span_id = e.span_id and o.revision = (e.detail ->> 'reverses')::integer
            )
            else e.detail
        end as terms
    from entries e
    where e.event_time >= %(start)s and e.event_time < %(end)s and e.calls <> 0
        and (%(orgs)s::text[] is null or e.org_id = any(%(orgs)s))
        and (%(agents)s::text[] is null or e.agent_id = any(%(agents)s))
        and (%(models)s::text[] is null or e.model_id = any(%(models)s))
        and (%(environments)s::text[] is null or e.environment = any(%(environments)s))
),
lines as (
    select
        m.day, m.corrects, m.closed, m.org_id, m.team_id, m.agent_id, m.environment, m.service, m.provider, m.model_id,
        m.operation, l.kind, l.quantity, l.rate_femto, l.quantity * l.rate_femto as product, m.calls,
        row_number() over (partition by m.number order by l.at) as place
    from (select made.*, row_number() over () as number from made) m
    cross join lateral (
        select
            line ->> 'kind' as kind, sign(m.calls::numeric) * (line ->> 'tokens')::numeric as quantity,
            (line ->> 'rateFemto')::numeric as rate_femto, at
        from jsonb_array_elements(m.terms -> 'lines') with ordinality as stated (line, at)
        union all
        select counted.kind, counted.tokens, (m.terms -> 'rates' ->> counted.kind)::numeric, counted.at
        from (
            values
                (1, 'input', m.input_tokens - m.cached_input_tokens - m.cache_write_tokens),
                (2, 'cached', m.cached_input_tokens),
                (3, 'cacheWrite5m', m.cache_write_tokens - m.cache_write_1h_tokens),
                (4, 'cacheWrite1h', m.cache_write_1h_tokens),
                (5, 'output', m.output_tokens - m.reasoning_tokens),
                (6, 'reasoning', m.reasoning_tokens),
                (7, 'request', m.calls)
        ) as counted (at, kind, tokens)
        where m.terms -> 'rates' ? counted.kind
    ) l
),
charged as (
    select
        day, corrects, closed, org_id, team_id, agent_id, environment, service, provider, model_id, operation, kind,
        quantity, rate_femto,
        sign(product) * (
            div(abs(product), 1000) + case
                when mod(abs(product), 1000) > 500 then 1
                when mod(abs(product), 1000) = 500 then mod(div(abs(product), 1000), 2)
                else 0
            end
        ) as amount_pico,
        case when place = 1 then calls else 0 end as calls, 0 as unpriced_calls
    from lines
    union all
    select
        m.day, m.corrects, m.closed, m.org_id, m.team_id, m.agent_id, m.environment, m.service, m.provider, m.model_id,
        m.operation, case when m.cost_pico = 0 then 'request' end, case when m.cost_pico = 0 then m.calls else m.tokens end,
        case when m.cost_pico = 0 then 0 end, m.cost_pico, m.calls, m.unpriced_calls
    from made m
    where coalesce(jsonb_array_length(m.terms -> 'lines'), 0) = 0
        and coalesce(m.terms -> 'rates', '{}'::jsonb) = '{}'::jsonb
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

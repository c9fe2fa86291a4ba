-- Spend by any groups that the sums have, over any window: whole days and blocks from their sums, what is left from the
-- quarter hours, and the edges of the window from entries. The sums over all pages come with every row; one row without a
-- group where the page is empty. Called by ledger.costs.
with usage as (
    select
        b.starts as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from unnest(%(block_starts)s::timestamptz[], %(block_ends)s::timestamptz[]) as b (starts, ends)
    join usage_blocks using (starts, ends)
    union all
    select
        bucket as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from usage_1d
    where bucket >= %(days_start)s and bucket < %(days_end)s
    union all
    select
        bucket as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from usage_1d
    where bucket >= %(more_days_start)s and bucket < %(more_days_end)s
    union all
    select
        bucket as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from usage_15m
    where bucket >= %(quarters_start)s and bucket < %(quarters_end)s
    union all
    select
        bucket as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from usage_15m
    where bucket >= %(more_quarters_start)s and bucket < %(more_quarters_end)s
    union all
    select
        event_time as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from entries
    where event_time >= %(start)s and event_time < %(sums_start)s
    union all
    select
        event_time as at, org_id, team_id, agent_id, '' as user_id, '' as session_id, environment, provider, model_id,
        operation, service, calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls, unmetered_calls
    from entries
    where event_time >= %(sums_end)s and event_time < %(end)s
),
grouped as (
    select
        width_bucket(at, %(starts)s::timestamptz[]) as step,
        case when 'org' = any(%(groups)s::text[]) then org_id else '' end as org_id,
        case when 'team' = any(%(groups)s::text[]) then team_id else '' end as team_id,
        case when 'agent' = any(%(groups)s::text[]) then agent_id else '' end as agent_id,
        case when 'user' = any(%(groups)s::text[]) then user_id else '' end as user_id,
        case when 'session' = any(%(groups)s::text[]) then session_id else '' end as session_id,
        case when 'environment' = any(%(groups)s::text[]) then environment else '' end as environment,
        case when 'provider' = any(%(groups)s::text[]) then provider else '' end as provider,
        case when 'model' = any(%(groups)s::text[]) then model_id else '' end as model_id,
        case when 'operation' = any(%(groups)s::text[]) then operation else '' end as operation,
        case when 'service' = any(%(groups)s::text[]) then service else '' end as service,
        sum(calls)::bigint as calls,
        sum(input_tokens) as input_tokens,
        sum(cached_input_tokens) as cached_input_tokens,
        sum(cache_write_tokens) as cache_write_tokens,
        sum(output_tokens) as output_tokens,
        sum(reasoning_tokens) as reasoning_tokens,
        coalesce(sum(cost_pico), 0) as priced_pico,
        case when sum(calls) = 0 or sum(unpriced_calls) < sum(calls) then coalesce(sum(cost_pico), 0) end as cost_pico,
        sum(unpriced_calls)::bigint as unpriced_calls,
        sum(agent_runs)::bigint as agent_runs,
        sum(tool_calls)::bigint as tool_calls,
        sum(unmetered_calls)::bigint as unmetered_calls
    from usage
    where true
        and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
        and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
        and (%(models)s::text[] is null or model_id = any(%(models)s))
        and (%(environments)s::text[] is null or environment = any(%(environments)s))
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    having sum(calls) <> 0 or sum(agent_runs) <> 0 or sum(tool_calls) <> 0 or sum(cost_pico) <> 0
),
ranked as (
    select *, case when %(dearest_first)s then -coalesce(cost_pico, -1) else 0 end as place
    from grouped
),
page as (
    select *
    from ranked
    where not %(continues)s
        or (
            step, place, org_id, team_id, agent_id, user_id, session_id, environment, provider, model_id, operation,
            service
        ) > (
            %(after_step)s::integer, %(after_place)s::numeric, %(after_org)s::text, %(after_team)s::text,
            %(after_agent)s::text, %(after_user)s::text, %(after_session)s::text, %(after_environment)s::text,
            %(after_provider)s::text, %(after_model)s::text, %(after_operation)s::text, %(after_service)s::text
        )
    order by step, place, org_id, team_id, agent_id, user_id, session_id, environment, provider, model_id, operation,
        service
    limit %(limit)s
),
whole as (
    select
        coalesce(sum(calls), 0)::bigint as calls,
        coalesce(sum(input_tokens), 0) as input_tokens,
        coalesce(sum(cached_input_tokens), 0) as cached_input_tokens,
        coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
        coalesce(sum(output_tokens), 0) as output_tokens,
        coalesce(sum(reasoning_tokens), 0) as reasoning_tokens,
        case when coalesce(sum(calls), 0) = 0 or sum(unpriced_calls) < sum(calls) then coalesce(sum(priced_pico), 0) end
            as cost_pico,
        coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls,
        coalesce(sum(agent_runs), 0)::bigint as agent_runs,
        coalesce(sum(tool_calls), 0)::bigint as tool_calls,
        coalesce(sum(unmetered_calls), 0)::bigint as unmetered_calls
    from grouped
)
select
    w.calls, w.input_tokens, w.cached_input_tokens, w.cache_write_tokens, w.output_tokens, w.reasoning_tokens,
    w.cost_pico, w.unpriced_calls, w.agent_runs, w.tool_calls, w.unmetered_calls, p.step, p.org_id, p.team_id,
    p.agent_id, p.user_id, p.session_id, p.environment, p.provider, p.model_id, p.operation, p.service, p.calls,
    p.input_tokens, p.cached_input_tokens, p.cache_write_tokens, p.output_tokens, p.reasoning_tokens, p.cost_pico,
    p.unpriced_calls, p.agent_runs, p.tool_calls
from whole w
left join page p on true
order by p.step, p.place, p.org_id, p.team_id, p.agent_id, p.user_id, p.session_id, p.environment, p.provider,
    p.model_id, p.operation, p.service

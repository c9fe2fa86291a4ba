-- The calls of one trace as they now stand; tenants are walked over so that the key serves. Called by
-- ledger.sessions.
with recursive tenants (tenant) as (
    (select spans.tenant from spans order by spans.tenant limit 1)
    union all
    select (select spans.tenant from spans where spans.tenant > tenants.tenant order by spans.tenant limit 1)
    from tenants
    where tenants.tenant is not null
),
kept as (
    select distinct tenant, trace_id, span_id, event_time
    from spans
    where trace_id = %(trace_id)s and spans.tenant in (select tenants.tenant from tenants)
)
select
    encode(trace_id, 'hex') as trace_id,
    encode(span_id, 'hex') as span_id,
    count(*)::integer as revisions,
    min(event_time) as event_time,
    (array_agg(org_id order by revision desc))[1] as org_id,
    (array_agg(team_id order by revision desc))[1] as team_id,
    (array_agg(agent_id order by revision desc))[1] as agent_id,
    (array_agg(session_id order by revision desc))[1] as session_id,
    (array_agg(user_id order by revision desc))[1] as user_id,
    (array_agg(environment order by revision desc))[1] as environment,
    (array_agg(service order by revision desc))[1] as service,
    (array_agg(provider order by revision desc))[1] as provider,
    (array_agg(model_id order by revision desc))[1] as model_id,
    (array_agg(operation order by revision desc))[1] as operation,
    sum(calls)::bigint as calls,
    sum(input_tokens)::bigint as input_tokens,
    sum(cached_input_tokens)::bigint as cached_input_tokens,
    sum(cache_write_tokens)::bigint as cache_write_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(reasoning_tokens)::bigint as reasoning_tokens,
    case when sum(calls) = 0 or sum(unpriced_calls) < sum(calls) then coalesce(sum(cost_pico), 0) end as cost_pico,
    sum(unpriced_calls)::bigint as unpriced_calls,
    sum(agent_runs)::bigint as agent_runs,
    sum(tool_calls)::bigint as tool_calls,
    sum(cache_hits)::bigint as cache_hits,
    sum(saved_tokens)::bigint as saved_tokens,
    sum(semantic_savings_pico)::bigint as semantic_savings_pico,
    sum(prompt_savings_pico)::bigint as prompt_savings_pico,
    sum(reported_cost_pico)::bigint as reported_cost_pico,
    (array_agg(rate_version order by revision desc))[1] as rate_version,
    (array_agg(detail order by revision desc))[1] as detail,
    sum(cache_write_1h_tokens)::bigint as cache_write_1h_tokens
from kept
join entries using (event_time, tenant, trace_id, span_id)
where entries.event_time >= (select min(event_time) from kept) and entries.event_time <= (select max(event_time) from kept)
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
group by tenant, trace_id, span_id
having sum(calls) <> 0 or sum(agent_runs) <> 0 or sum(tool_calls) <> 0 or sum(cache_hits) <> 0
order by event_time, trace_id, span_id
limit %(limit)s

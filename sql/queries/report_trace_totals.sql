-- The sums of one trace. Called by ledger.sessions.
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
    coalesce(sum(calls), 0)::bigint as calls,
    coalesce(sum(input_tokens), 0) as input_tokens,
    coalesce(sum(cached_input_tokens), 0) as cached_input_tokens,
    coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
    coalesce(sum(output_tokens), 0) as output_tokens,
    coalesce(sum(reasoning_tokens), 0) as reasoning_tokens,
    case when coalesce(sum(calls), 0) = 0 or sum(unpriced_calls) < sum(calls) then coalesce(sum(cost_pico), 0) end
        as cost_pico,
    coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls,
    coalesce(sum(agent_runs), 0)::bigint as agent_runs,
    coalesce(sum(tool_calls), 0)::bigint as tool_calls
from kept
join entries using (event_time, tenant, trace_id, span_id)
where entries.event_time >= (select min(event_time) from kept) and entries.event_time <= (select max(event_time) from kept)
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))

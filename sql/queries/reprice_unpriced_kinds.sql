-- One unpriced call of each kind, kind by kind without reading the others. Called by ledger.unpriced.
with recursive kinds (kind, number) as (
    (select u.kind, 1 from unpriced u where u.kind > %(after)s::bytea order by u.kind limit 1)
    union all
    select (select u.kind from unpriced u where u.kind > kinds.kind order by u.kind limit 1), kinds.number + 1
    from kinds
    where kinds.kind is not null and kinds.number < %(limit)s
)
select kinds.kind, one.*
from kinds
cross join lateral (
    select
        e.event_time, e.tenant, e.trace_id, e.span_id, e.revision, e.org_id, e.team_id, e.agent_id, e.session_id,
        e.user_id, e.environment, e.service, e.provider, e.model_id, e.operation, e.calls, e.agent_runs, e.tool_calls,
        e.input_tokens, e.cached_input_tokens, e.cache_write_tokens, e.cache_write_1h_tokens, e.output_tokens,
        e.reasoning_tokens, e.cost_pico, e.unpriced_calls, e.unmetered_calls, e.cache_hits, e.cacheable_calls,
        e.saved_tokens, e.semantic_savings_pico, e.prompt_savings_pico, e.reported_cost_pico, e.rate_version,
        e.start_lag_us, e.detail
    from unpriced u
    join entries e on e.event_time = u.event_time and e.tenant = u.tenant and e.trace_id = u.trace_id
        and e.span_id = u.span_id and e.revision = u.revision
    where u.kind = kinds.kind
    order by u.event_time
    limit 1
) as one
order by kinds.kind

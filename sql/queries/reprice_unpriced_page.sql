-- The next unpriced calls of one kind. Called by ledger.unpriced.
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
where u.kind = %(kind)s
    and (u.event_time, u.tenant, u.trace_id, u.span_id)
    > (%(cursor_time)s, %(cursor_tenant)s, %(cursor_trace)s::bytea, %(cursor_span)s::bytea)
order by u.event_time, u.tenant, u.trace_id, u.span_id
limit %(limit)s

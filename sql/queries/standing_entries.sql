-- The entries that stand for some spans now, found by key one after the other: a join of any other kind reads the whole
-- ledger. Called by ledger.append before it takes them back.
select
    e.event_time, e.tenant, e.trace_id, e.span_id, e.revision, e.org_id, e.team_id, e.agent_id, e.session_id,
    e.user_id, e.environment, e.service, e.provider, e.model_id, e.operation, e.calls, e.agent_runs, e.tool_calls,
    e.input_tokens, e.cached_input_tokens, e.cache_write_tokens, e.cache_write_1h_tokens, e.output_tokens,
    e.reasoning_tokens, e.cost_pico, e.unpriced_calls, e.unmetered_calls, e.cache_hits, e.cacheable_calls,
    e.saved_tokens, e.semantic_savings_pico, e.prompt_savings_pico, e.reported_cost_pico, e.rate_version,
    e.start_lag_us, e.detail
from unnest(
    %(times)s::timestamptz[], %(tenants)s::text[], %(traces)s::bytea[], %(spans)s::bytea[], %(revisions)s::integer[]
) as wanted (event_time, tenant, trace_id, span_id, revision)
cross join lateral (
    select *
    from entries f
    where f.event_time = wanted.event_time and f.tenant = wanted.tenant and f.trace_id = wanted.trace_id
        and f.span_id = wanted.span_id and f.revision = wanted.revision
    offset 0
) e

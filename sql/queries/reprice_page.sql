-- The next standing calls and cache hits of a reprice run, in the order of its cursor. An entry stands where none of a
-- later revision is at its place: a reversal is written at the time of what it reverses. A subquery
-- with a limit is a look at the key for each row, never a join that begins at the first entry. Called by ledger.reprice.
select
    e.event_time, e.tenant, e.trace_id, e.span_id, e.revision, e.org_id, e.team_id, e.agent_id, e.session_id,
    e.user_id, e.environment, e.service, e.provider, e.model_id, e.operation, e.calls, e.agent_runs, e.tool_calls,
    e.input_tokens, e.cached_input_tokens, e.cache_write_tokens, e.cache_write_1h_tokens, e.output_tokens,
    e.reasoning_tokens, e.cost_pico, e.unpriced_calls, e.unmetered_calls, e.cache_hits, e.cacheable_calls,
    e.saved_tokens, e.semantic_savings_pico, e.prompt_savings_pico, e.reported_cost_pico, e.rate_version,
    e.start_lag_us, e.detail
from entries e
where e.event_time >= %(cursor_time)s and e.event_time < %(end)s
    and (e.event_time, e.tenant, e.trace_id, e.span_id)
    > (%(cursor_time)s, %(cursor_tenant)s, %(cursor_trace)s::bytea, %(cursor_span)s::bytea)
    and (e.calls > 0 or e.cache_hits > 0)
    and (%(orgs)s::text[] is null or e.org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or e.agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or e.model_id = any(%(models)s))
    and (%(providers)s::text[] is null or e.provider = any(%(providers)s))
    and (%(environments)s::text[] is null or e.environment = any(%(environments)s))
    and e.revision = (
        select l.revision
        from entries l
        where l.event_time = e.event_time and l.tenant = e.tenant and l.trace_id = e.trace_id and l.span_id = e.span_id
        order by l.revision desc
        limit 1
    )
order by e.event_time, e.tenant, e.trace_id, e.span_id
limit %(limit)s

-- Every entry of a window as it was written, corrections included, with what its price was made by: a reversal has what
-- the entry it takes back was priced by. Read by a cursor, in the order of the key. Called by ledger.exports.
select
    e.event_time, to_timestamp(e.recorded_s) as recorded_at, encode(e.trace_id, 'hex') as trace_id, encode(e.span_id, 'hex') as span_id, e.revision,
    (e.detail ->> 'reverses')::integer as reverses, e.org_id, e.team_id, e.agent_id, e.session_id, e.user_id,
    e.environment, e.service, e.provider, e.model_id, e.operation, e.calls, e.agent_runs, e.tool_calls, e.input_tokens,
    e.cached_input_tokens, e.cache_write_tokens, e.output_tokens, e.reasoning_tokens, e.cost_pico, e.unpriced_calls,
    e.unmetered_calls, e.cache_hits, e.saved_tokens, e.semantic_savings_pico, e.prompt_savings_pico,
    e.reported_cost_pico, e.rate_version,
    e.cache_write_1h_tokens,
    case
        when not %(with_terms)s then null
        when e.detail ? 'reverses' then (
            select o.detail
            from entries o
            where o.event_time = e.event_time and o.tenant = e.tenant and o.trace_id = e.trace_id
                and o.span_id = e.span_id and o.revision = (e.detail ->> 'reverses')::integer
        )
        else e.detail
    end as terms
from entries e
where e.event_time >= %(start)s and e.event_time < %(end)s
    and (e.calls <> 0 or not %(calls_only)s)
    and (%(orgs)s::text[] is null or e.org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or e.agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or e.model_id = any(%(models)s))
    and (%(environments)s::text[] is null or e.environment = any(%(environments)s))
order by e.event_time, e.tenant, e.trace_id, e.span_id, e.revision

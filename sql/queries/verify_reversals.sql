-- A reversal takes back one earlier entry, exactly: same time, same belongings, every measure negative; and nothing is
-- taken back twice. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
reversals as (
    select entries.*, (detail ->> 'reverses')::integer as target
    from entries, kept
    where event_time >= since and detail ? 'reverses'
),
faulty as (
    select r.tenant, r.trace_id, r.span_id, r.revision, r.target
    from reversals r
    left join entries o on o.event_time = r.event_time and o.tenant = r.tenant and o.trace_id = r.trace_id
        and o.span_id = r.span_id and o.revision = r.target
    where
        o.revision is null or o.detail ? 'reverses' or r.target >= r.revision
        or (
            o.org_id, o.team_id, o.agent_id, o.session_id, o.user_id, o.environment, o.service, o.provider,
            o.model_id, o.operation, o.calls, o.agent_runs, o.tool_calls, o.input_tokens, o.cached_input_tokens,
            o.cache_write_tokens, o.cache_write_1h_tokens, o.output_tokens, o.reasoning_tokens, o.cost_pico,
            o.unpriced_calls, o.unmetered_calls, o.cache_hits, o.cacheable_calls, o.saved_tokens,
            o.semantic_savings_pico, o.prompt_savings_pico, o.reported_cost_pico
        ) is distinct from (
            r.org_id, r.team_id, r.agent_id, r.session_id, r.user_id, r.environment, r.service, r.provider,
            r.model_id, r.operation, -r.calls, -r.agent_runs, -r.tool_calls, -r.input_tokens,
            -r.cached_input_tokens, -r.cache_write_tokens, -r.cache_write_1h_tokens, -r.output_tokens,
            -r.reasoning_tokens, -r.cost_pico, -r.unpriced_calls, -r.unmetered_calls, -r.cache_hits,
            -r.cacheable_calls, -r.saved_tokens, -r.semantic_savings_pico, -r.prompt_savings_pico,
            -r.reported_cost_pico
        )
    union all
    select tenant, trace_id, span_id, max(revision), target
    from reversals
    group by tenant, trace_id, span_id, target
    having count(*) > 1
)
select
    (select count(*) from reversals) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples

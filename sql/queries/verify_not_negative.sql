-- No sum that stands is below zero; only what prompt caches save may be. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
standing as (
    select
        tenant, trace_id, span_id, sum(calls) as calls, sum(agent_runs) as agent_runs, sum(tool_calls) as tool_calls,
        sum(input_tokens) as input_tokens, sum(output_tokens) as output_tokens, sum(cost_pico) as cost_pico,
        sum(unpriced_calls) as unpriced_calls, sum(cache_hits) as cache_hits
    from entries, kept
    where event_time >= since
    group by tenant, trace_id, span_id
),
faulty as (
    select encode(trace_id, 'hex') || ' ' || encode(span_id, 'hex') as what, calls, cost_pico
    from standing
    where least(
        calls, agent_runs, tool_calls, input_tokens, output_tokens, coalesce(cost_pico, 0), unpriced_calls, cache_hits
    ) < 0 or greatest(calls, tool_calls, agent_runs) > 1
    union all
    select 'usage_1d ' || bucket::text || ' ' || agent_id, calls, cost_pico
    from usage_1d
    where least(
        calls, agent_runs, tool_calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, saved_tokens,
        semantic_savings_pico
    ) < 0
    union all
    select 'session_slots ' || session_id, calls, cost_pico
    from session_slots
    where least(calls, cost_pico, unpriced_calls) < 0
)
select
    (select count(*) from standing) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples

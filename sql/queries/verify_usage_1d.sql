-- usage_1d is the sum of the entries that are kept, row by row, to the last pico-USD; where late entries wait for a refresh
-- it is not, yet. Called by ledger.verify.
with kept as (select coalesce(max(entries_since), '-infinity') as since from storage_progress),
raw as (
    select
        date_bin('1 day', event_time, 'epoch') as bucket,
        org_id, team_id, agent_id, environment, service, provider, model_id, operation,
        sum(calls) as calls, sum(agent_runs) as agent_runs, sum(tool_calls) as tool_calls,
        sum(input_tokens) as input_tokens, sum(cached_input_tokens) as cached_input_tokens,
        sum(cache_write_tokens) as cache_write_tokens, sum(output_tokens) as output_tokens,
        sum(reasoning_tokens) as reasoning_tokens, sum(cost_pico) as cost_pico,
        sum(unpriced_calls) as unpriced_calls, sum(unmetered_calls) as unmetered_calls,
        sum(cache_hits) as cache_hits, sum(cacheable_calls) as cacheable_calls, sum(saved_tokens) as saved_tokens,
        sum(semantic_savings_pico) as semantic_savings_pico, sum(prompt_savings_pico) as prompt_savings_pico
    from entries, kept
    where event_time >= since
    group by bucket, org_id, team_id, agent_id, environment, service, provider, model_id, operation
),
faulty as (
    select
        coalesce(r.bucket, u.bucket) as bucket, coalesce(r.org_id, u.org_id) as org_id,
        coalesce(r.agent_id, u.agent_id) as agent_id, coalesce(r.model_id, u.model_id) as model_id,
        coalesce(r.calls, 0) as entry_calls, coalesce(u.calls, 0) as rollup_calls,
        coalesce(r.cost_pico, 0) as entry_pico, coalesce(u.cost_pico, 0) as rollup_pico
    from raw r
    full join (select usage_1d.* from usage_1d, kept where bucket >= since) u on u.bucket = r.bucket
        and u.org_id = r.org_id and u.team_id = r.team_id and u.agent_id = r.agent_id
        and u.environment = r.environment and u.service = r.service and u.provider = r.provider
        and u.model_id = r.model_id and u.operation = r.operation
    where not exists (
        select from dirty_ranges d
        where d.late and d.ends > coalesce(r.bucket, u.bucket)
            and d.starts < coalesce(r.bucket, u.bucket) + interval '1 day'
    ) and (
        coalesce(r.calls, 0), coalesce(r.agent_runs, 0), coalesce(r.tool_calls, 0), coalesce(r.input_tokens, 0),
        coalesce(r.cached_input_tokens, 0), coalesce(r.cache_write_tokens, 0), coalesce(r.output_tokens, 0),
        coalesce(r.reasoning_tokens, 0), coalesce(r.cost_pico, 0), coalesce(r.unpriced_calls, 0),
        coalesce(r.unmetered_calls, 0), coalesce(r.cache_hits, 0), coalesce(r.cacheable_calls, 0),
        coalesce(r.saved_tokens, 0), coalesce(r.semantic_savings_pico, 0), coalesce(r.prompt_savings_pico, 0)
    ) is distinct from (
        coalesce(u.calls, 0), coalesce(u.agent_runs, 0), coalesce(u.tool_calls, 0), coalesce(u.input_tokens, 0),
        coalesce(u.cached_input_tokens, 0), coalesce(u.cache_write_tokens, 0), coalesce(u.output_tokens, 0),
        coalesce(u.reasoning_tokens, 0), coalesce(u.cost_pico, 0), coalesce(u.unpriced_calls, 0),
        coalesce(u.unmetered_calls, 0), coalesce(u.cache_hits, 0), coalesce(u.cacheable_calls, 0),
        coalesce(u.saved_tokens, 0), coalesce(u.semantic_savings_pico, 0), coalesce(u.prompt_savings_pico, 0)
    )
)
select
    (select count(*) from raw) as checked,
    (select count(*) from faulty) as mismatches,
    (select jsonb_agg(to_jsonb(f)) from (select * from faulty limit 5) f) as examples

-- usage_blocks is the sum of the quarter hours of each block, row by row, to the last pico-USD; where late entries wait for
-- a refresh it is not, yet. Blocks are compared with quarter hours, which are kept for good and are compared with entries
-- by verify_usage_15m. Called by ledger.verify.
with settled as (
    select b.starts, b.ends
    from blocks b
    where not exists (select from dirty_ranges d where d.late and d.ends > b.starts and d.starts < b.ends)
),
raw as (
    select
        b.starts, b.ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation,
        sum(calls) as calls, sum(agent_runs) as agent_runs, sum(tool_calls) as tool_calls, sum(input_tokens) as
        input_tokens, sum(cached_input_tokens) as cached_input_tokens, sum(cache_write_tokens) as cache_write_tokens,
        sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens, sum(cost_pico) as cost_pico,
        sum(unpriced_calls) as unpriced_calls, sum(unmetered_calls) as unmetered_calls, sum(cache_hits) as cache_hits,
        sum(cacheable_calls) as cacheable_calls, sum(saved_tokens) as saved_tokens, sum(semantic_savings_pico) as
        semantic_savings_pico, sum(prompt_savings_pico) as prompt_savings_pico
    from settled b
    cross join lateral (select * from usage_15m where bucket >= b.starts and bucket < b.ends offset 0) u
    group by b.starts, b.ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation
),
kept as (
    select u.* from usage_blocks u join settled using (starts, ends)
),
faulty as (
    select
        starts, ends, org_id, agent_id, model_id, coalesce(r.calls, 0) as quarter_calls,
        coalesce(u.calls, 0) as block_calls, coalesce(r.cost_pico, 0) as quarter_pico, coalesce(u.cost_pico, 0) as block_pico
    from raw r
    full join kept u using (
        starts, ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation
    )
    where (
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

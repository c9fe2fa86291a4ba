-- Everything a day came to, by day and by some names of one kind, all others together (null): whole days and blocks from
-- their sums, what is left from the quarter hours. Called by ledger.reports.
with usage as (
    select
        b.starts as at, org_id, agent_id, model_id, environment, operation, calls, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, agent_runs,
        tool_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
    from unnest(%(block_starts)s::timestamptz[], %(block_ends)s::timestamptz[]) as b (starts, ends)
    join usage_blocks using (starts, ends)
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, calls, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, agent_runs,
        tool_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_1d
    where bucket >= %(days_start)s and bucket < %(days_end)s
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, calls, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, agent_runs,
        tool_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_1d
    where bucket >= %(more_days_start)s and bucket < %(more_days_end)s
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, calls, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, agent_runs,
        tool_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(quarters_start)s and bucket < %(quarters_end)s
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, calls, input_tokens, cached_input_tokens,
        cache_write_tokens, output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, agent_runs,
        tool_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(more_quarters_start)s and bucket < %(more_quarters_end)s
),
named as (
    select
        *,
        width_bucket(at, %(starts)s::timestamptz[]) as day_number,
        case %(kind)s::text when 'agent' then agent_id when 'model' then model_id when 'org' then org_id end as name
    from usage
    where true
        and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
        and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
        and (%(models)s::text[] is null or model_id = any(%(models)s))
        and (%(environments)s::text[] is null or environment = any(%(environments)s))
)
select
    day_number,
    case when name = any(%(names)s::text[]) then name end as name,
    sum(calls)::bigint as calls,
    sum(input_tokens) as input_tokens,
    sum(cached_input_tokens) as cached_input_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(output_tokens) as output_tokens,
    sum(reasoning_tokens) as reasoning_tokens,
    sum(cost_pico) as priced_pico,
    sum(unpriced_calls)::bigint as unpriced_calls,
    sum(unmetered_calls)::bigint as unmetered_calls,
    sum(agent_runs)::bigint as agent_runs,
    sum(tool_calls)::bigint as tool_calls,
    sum(cache_hits)::bigint as cache_hits,
    sum(cacheable_calls)::bigint as cacheable_calls,
    sum(saved_tokens) as saved_tokens,
    sum(semantic_savings_pico) as semantic_savings_pico,
    sum(prompt_savings_pico) as prompt_savings_pico,
    coalesce(sum(cost_pico) filter (where operation = 'embeddings'), 0) as embedding_cost_pico
from named
group by 1, 2
order by 1, 2

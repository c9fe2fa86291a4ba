-- What caching did, by step of time: whole days and blocks from their sums, what is left from the quarter hours.
-- Called by ledger.reports.
with usage as (
    select
        b.starts as at, org_id, agent_id, model_id, environment, operation, cost_pico, cache_hits, cacheable_calls,
        saved_tokens, semantic_savings_pico, prompt_savings_pico
    from unnest(%(block_starts)s::timestamptz[], %(block_ends)s::timestamptz[]) as b (starts, ends)
    join usage_blocks using (starts, ends)
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, cost_pico, cache_hits, cacheable_calls,
        saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_1d
    where bucket >= %(days_start)s and bucket < %(days_end)s
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, cost_pico, cache_hits, cacheable_calls,
        saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_1d
    where bucket >= %(more_days_start)s and bucket < %(more_days_end)s
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, cost_pico, cache_hits, cacheable_calls,
        saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(quarters_start)s and bucket < %(quarters_end)s
    union all
    select
        bucket as at, org_id, agent_id, model_id, environment, operation, cost_pico, cache_hits, cacheable_calls,
        saved_tokens, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(more_quarters_start)s and bucket < %(more_quarters_end)s
)
select
    width_bucket(at, %(starts)s::timestamptz[]) as step_number,
    sum(cache_hits)::bigint as cache_hits,
    sum(cacheable_calls)::bigint as cacheable_calls,
    sum(saved_tokens) as saved_tokens,
    sum(semantic_savings_pico) as semantic_savings_pico,
    sum(prompt_savings_pico) as prompt_savings_pico,
    coalesce(sum(cost_pico) filter (where operation = 'embeddings'), 0) as embedding_cost_pico
from usage
where true
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or model_id = any(%(models)s))
    and (%(environments)s::text[] is null or environment = any(%(environments)s))
group by step_number
having sum(cacheable_calls) <> 0 or sum(cache_hits) <> 0 or sum(semantic_savings_pico) <> 0
    or sum(prompt_savings_pico) <> 0 or sum(cost_pico) filter (where operation = 'embeddings') <> 0
order by step_number

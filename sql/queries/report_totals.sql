-- The sums of a period: whole days and blocks from their sums, what is left from the quarter hours.
-- Called by ledger.coverage.
with usage as (
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls
    from unnest(%(block_starts)s::timestamptz[], %(block_ends)s::timestamptz[]) as b (starts, ends)
    join usage_blocks using (starts, ends)
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls
    from usage_1d
    where bucket >= %(days_start)s and bucket < %(days_end)s
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls
    from usage_1d
    where bucket >= %(more_days_start)s and bucket < %(more_days_end)s
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls
    from usage_15m
    where bucket >= %(quarters_start)s and bucket < %(quarters_end)s
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls
    from usage_15m
    where bucket >= %(more_quarters_start)s and bucket < %(more_quarters_end)s
)
select
    coalesce(sum(calls), 0)::bigint as calls,
    coalesce(sum(input_tokens), 0) as input_tokens,
    coalesce(sum(cached_input_tokens), 0) as cached_input_tokens,
    coalesce(sum(cache_write_tokens), 0) as cache_write_tokens,
    coalesce(sum(output_tokens), 0) as output_tokens,
    coalesce(sum(reasoning_tokens), 0) as reasoning_tokens,
    case when coalesce(sum(calls), 0) = 0 or sum(unpriced_calls) < sum(calls) then coalesce(sum(cost_pico), 0) end
        as cost_pico,
    coalesce(sum(unpriced_calls), 0)::bigint as unpriced_calls,
    coalesce(sum(unmetered_calls), 0)::bigint as unmetered_calls
from usage
where true
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or model_id = any(%(models)s))
    and (%(environments)s::text[] is null or environment = any(%(environments)s))

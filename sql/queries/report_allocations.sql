-- Spend by agent over a period: whole days and blocks from their sums, what is left from the quarter hours.
-- Called by ledger.reports.
with usage as (
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls
    from unnest(%(block_starts)s::timestamptz[], %(block_ends)s::timestamptz[]) as b (starts, ends)
    join usage_blocks using (starts, ends)
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls
    from usage_1d
    where bucket >= %(days_start)s and bucket < %(days_end)s
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls
    from usage_1d
    where bucket >= %(more_days_start)s and bucket < %(more_days_end)s
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls
    from usage_15m
    where bucket >= %(quarters_start)s and bucket < %(quarters_end)s
    union all
    select
        org_id, agent_id, model_id, environment, calls, input_tokens, cached_input_tokens, cache_write_tokens,
        output_tokens, reasoning_tokens, cost_pico, unpriced_calls, agent_runs, tool_calls
    from usage_15m
    where bucket >= %(more_quarters_start)s and bucket < %(more_quarters_end)s
)
select
    org_id,
    agent_id,
    sum(calls)::bigint as calls,
    sum(input_tokens) as input_tokens,
    sum(cached_input_tokens) as cached_input_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(output_tokens) as output_tokens,
    sum(reasoning_tokens) as reasoning_tokens,
    case when sum(calls) = 0 or sum(unpriced_calls) < sum(calls) then sum(cost_pico) end as cost_pico,
    sum(unpriced_calls)::bigint as unpriced_calls,
    sum(agent_runs)::bigint as agent_runs,
    sum(tool_calls)::bigint as tool_calls
from usage
where true
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or model_id = any(%(models)s))
    and (%(environments)s::text[] is null or environment = any(%(environments)s))
group by org_id, agent_id
having sum(calls) <> 0 or sum(agent_runs) <> 0 or sum(tool_calls) <> 0 or sum(cost_pico) <> 0
order by cost_pico desc nulls last, org_id, agent_id

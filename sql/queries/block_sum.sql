-- Sums up a block: from whole UTC days where it is made of them, else from quarter hours. Called by ledger.blocks.
insert into usage_blocks (
    starts, ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation, calls, agent_runs,
    tool_calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico,
    unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico,
    prompt_savings_pico
)
select
    %(starts)s, %(ends)s, org_id, team_id, agent_id, environment, service, provider, model_id, operation, sum(calls),
    sum(agent_runs), sum(tool_calls), sum(input_tokens), sum(cached_input_tokens), sum(cache_write_tokens),
    sum(output_tokens), sum(reasoning_tokens), sum(cost_pico), sum(unpriced_calls), sum(unmetered_calls),
    sum(cache_hits), sum(cacheable_calls), sum(saved_tokens), sum(semantic_savings_pico), sum(prompt_savings_pico)
from (
    select * from usage_1d where %(whole_days)s and bucket >= %(starts)s and bucket < %(ends)s
    union all
    select * from usage_15m where not %(whole_days)s and bucket >= %(starts)s and bucket < %(ends)s
) summed
group by org_id, team_id, agent_id, environment, service, provider, model_id, operation

-- Money of caching since any instant: entries up to the next quarter hour, then whole days and blocks from their sums,
-- and what is left from the quarter hours. Called by ledger.reports.
with caching as (
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from entries
    where event_time >= %(start)s and event_time < %(first_bucket)s
    union all
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from unnest(%(block_starts)s::timestamptz[], %(block_ends)s::timestamptz[]) as b (starts, ends)
    join usage_blocks using (starts, ends)
    union all
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from usage_1d
    where bucket >= %(days_start)s and bucket < %(days_end)s
    union all
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from usage_1d
    where bucket >= %(more_days_start)s and bucket < %(more_days_end)s
    union all
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(quarters_start)s and bucket < %(quarters_end)s
    union all
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(more_quarters_start)s and bucket < %(more_quarters_end)s
)
select
    coalesce(sum(semantic_savings_pico), 0) as semantic_savings_pico,
    coalesce(sum(prompt_savings_pico), 0) as prompt_savings_pico,
    coalesce(sum(cost_pico) filter (where operation = 'embeddings'), 0) as embedding_cost_pico
from caching
where true
    and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
    and (%(agents)s::text[] is null or agent_id = any(%(agents)s))
    and (%(models)s::text[] is null or model_id = any(%(models)s))
    and (%(environments)s::text[] is null or environment = any(%(environments)s))

-- Money of caching since any instant: entries up to the next quarter hour, then the quarter hours. Called by
-- ledger.reports.
with caching as (
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from entries
    where event_time >= %(start)s and event_time < %(first_bucket)s
    union all
    select org_id, agent_id, model_id, environment, operation, cost_pico, semantic_savings_pico, prompt_savings_pico
    from usage_15m
    where bucket >= %(first_bucket)s and bucket < %(end)s
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

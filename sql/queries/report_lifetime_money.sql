-- Money of caching since ever, and the dearest embedding of late, for counters. Called by ledger.reports.
select
    coalesce(sum(semantic_savings_pico), 0) as semantic_savings_pico,
    coalesce(sum(prompt_savings_pico), 0) as prompt_savings_pico,
    coalesce(sum(calls - unpriced_calls) filter (where operation = 'embeddings'), 0)::bigint as embedding_calls,
    coalesce(sum(cost_pico) filter (where operation = 'embeddings'), 0) as embedding_cost_pico,
    coalesce(
        (
            select max(cost_pico)
            from entries
            where operation = 'embeddings' and event_time > %(max_since)s
                and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
        ),
        0
    )::bigint as embedding_cost_max_pico
from usage_1d
where (%(orgs)s::text[] is null or org_id = any(%(orgs)s))

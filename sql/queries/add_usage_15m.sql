-- Adds to the sums by quarter hour, keys in order, and, where a quarter hour came late, to those of the blocks it is in.
-- Called by ledger.append where there are no continuous aggregates.
with n as materialized (
    select *
    from unnest(
        %(bucket)s::timestamptz[], %(org_id)s::text[], %(team_id)s::text[], %(agent_id)s::text[],
        %(environment)s::text[], %(service)s::text[], %(provider)s::text[], %(model_id)s::text[],
        %(operation)s::text[], %(calls)s::bigint[], %(agent_runs)s::bigint[], %(tool_calls)s::bigint[],
        %(input_tokens)s::numeric[], %(cached_input_tokens)s::numeric[], %(cache_write_tokens)s::numeric[],
        %(output_tokens)s::numeric[], %(reasoning_tokens)s::numeric[], %(cost_pico)s::numeric[],
        %(unpriced_calls)s::bigint[], %(unmetered_calls)s::bigint[], %(cache_hits)s::bigint[],
        %(cacheable_calls)s::bigint[], %(saved_tokens)s::numeric[], %(semantic_savings_pico)s::numeric[],
        %(prompt_savings_pico)s::numeric[]
    ) as n (
        bucket, org_id, team_id, agent_id, environment, service, provider, model_id, operation, calls, agent_runs,
        tool_calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico,
        unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico,
        prompt_savings_pico
    )
),
late as (
    insert into usage_blocks as u (
        starts, ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation, calls,
        agent_runs, tool_calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens,
        reasoning_tokens, cost_pico, unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, saved_tokens,
        semantic_savings_pico, prompt_savings_pico
    )
    select
        b.starts, b.ends, n.org_id, n.team_id, n.agent_id, n.environment, n.service, n.provider, n.model_id,
        n.operation, sum(n.calls), sum(n.agent_runs), sum(n.tool_calls), sum(n.input_tokens),
        sum(n.cached_input_tokens), sum(n.cache_write_tokens), sum(n.output_tokens), sum(n.reasoning_tokens),
        sum(n.cost_pico), sum(n.unpriced_calls), sum(n.unmetered_calls), sum(n.cache_hits), sum(n.cacheable_calls),
        sum(n.saved_tokens), sum(n.semantic_savings_pico), sum(n.prompt_savings_pico)
    from n
    join blocks b on b.starts <= n.bucket and b.starts > n.bucket - interval '8 days' and b.ends > n.bucket
    where n.bucket < (select max(ends) from blocks)
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    order by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    on conflict (starts, ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation)
    do update set
        calls = u.calls + excluded.calls,
        agent_runs = u.agent_runs + excluded.agent_runs,
        tool_calls = u.tool_calls + excluded.tool_calls,
        input_tokens = u.input_tokens + excluded.input_tokens,
        cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
        cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens,
        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
        cost_pico = u.cost_pico + excluded.cost_pico,
        unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
        unmetered_calls = u.unmetered_calls + excluded.unmetered_calls,
        cache_hits = u.cache_hits + excluded.cache_hits,
        cacheable_calls = u.cacheable_calls + excluded.cacheable_calls,
        saved_tokens = u.saved_tokens + excluded.saved_tokens,
        semantic_savings_pico = u.semantic_savings_pico + excluded.semantic_savings_pico,
        prompt_savings_pico = u.prompt_savings_pico + excluded.prompt_savings_pico
)
insert into usage_15m as u (
    bucket, org_id, team_id, agent_id, environment, service, provider, model_id, operation, calls, agent_runs,
    tool_calls, input_tokens, cached_input_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_pico,
    unpriced_calls, unmetered_calls, cache_hits, cacheable_calls, saved_tokens, semantic_savings_pico,
    prompt_savings_pico
)
select
    n.bucket, n.org_id, n.team_id, n.agent_id, n.environment, n.service, n.provider, n.model_id, n.operation, n.calls,
    n.agent_runs, n.tool_calls, n.input_tokens, n.cached_input_tokens, n.cache_write_tokens, n.output_tokens,
    n.reasoning_tokens, n.cost_pico, n.unpriced_calls, n.unmetered_calls, n.cache_hits, n.cacheable_calls,
    n.saved_tokens, n.semantic_savings_pico, n.prompt_savings_pico
from n
order by 1, 2, 3, 4, 5, 6, 7, 8, 9
on conflict (bucket, org_id, team_id, agent_id, environment, service, provider, model_id, operation) do update set
    calls = u.calls + excluded.calls,
    agent_runs = u.agent_runs + excluded.agent_runs,
    tool_calls = u.tool_calls + excluded.tool_calls,
    input_tokens = u.input_tokens + excluded.input_tokens,
    cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
    cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = u.output_tokens + excluded.output_tokens,
    reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
    cost_pico = u.cost_pico + excluded.cost_pico,
    unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
    unmetered_calls = u.unmetered_calls + excluded.unmetered_calls,
    cache_hits = u.cache_hits + excluded.cache_hits,
    cacheable_calls = u.cacheable_calls + excluded.cacheable_calls,
    saved_tokens = u.saved_tokens + excluded.saved_tokens,
    semantic_savings_pico = u.semantic_savings_pico + excluded.semantic_savings_pico,
    prompt_savings_pico = u.prompt_savings_pico + excluded.prompt_savings_pico

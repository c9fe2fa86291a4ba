-- What dashboards and people with SQL read: sums in plain names and dollars, as docs/grafana.md describes them. Twice with one
-- text, so that a switch of engines, which makes the sums anew, makes these anew, too.

create or replace view spend_15m as
select
    bucket as time,
    org_id as org,
    team_id as team,
    agent_id as agent,
    environment,
    service,
    provider,
    model_id as model,
    operation,
    calls,
    agent_runs,
    tool_calls,
    input_tokens,
    cached_input_tokens,
    cache_write_tokens,
    output_tokens,
    reasoning_tokens,
    cost_pico * 0.000000000001 as cost_usd,
    unpriced_calls,
    unmetered_calls,
    cache_hits,
    cacheable_calls,
    saved_tokens,
    semantic_savings_pico * 0.000000000001 as answer_cache_savings_usd,
    prompt_savings_pico * 0.000000000001 as prompt_cache_savings_usd
from usage_15m;
comment on view spend_15m is
    'Spend by quarter hour (UTC), organisation, agent, model and more. cost_usd is the priced sum, in dollars with all digits; '
    'unpriced_calls says how many calls it leaves out.';

create or replace view spend_1d as
select
    bucket as time,
    org_id as org,
    team_id as team,
    agent_id as agent,
    environment,
    service,
    provider,
    model_id as model,
    operation,
    calls,
    agent_runs,
    tool_calls,
    input_tokens,
    cached_input_tokens,
    cache_write_tokens,
    output_tokens,
    reasoning_tokens,
    cost_pico * 0.000000000001 as cost_usd,
    unpriced_calls,
    unmetered_calls,
    cache_hits,
    cacheable_calls,
    saved_tokens,
    semantic_savings_pico * 0.000000000001 as answer_cache_savings_usd,
    prompt_savings_pico * 0.000000000001 as prompt_cache_savings_usd
from usage_1d;
comment on view spend_1d is 'The same by whole UTC day: for ranges of days.';

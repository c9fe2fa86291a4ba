-- Spend by quarter hour and by UTC day as continuous aggregates over a hypertable: the names and columns of the plain
-- tables, so that no query knows the engine. Days are built from quarter hours; what is not yet materialised is summed
-- from entries when it is read.

select create_hypertable(
    'entries', by_range('event_time', interval '1 day'), create_default_indexes => false, migrate_data => true
);

create materialized view usage_15m
with (
    timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.create_group_indexes = false
) as
select
    time_bucket(interval '15 minutes', event_time) as bucket,
    org_id,
    team_id,
    agent_id,
    environment,
    service,
    provider,
    model_id,
    operation,
    sum(calls) as calls,
    sum(agent_runs) as agent_runs,
    sum(tool_calls) as tool_calls,
    sum(input_tokens) as input_tokens,
    sum(cached_input_tokens) as cached_input_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(output_tokens) as output_tokens,
    sum(reasoning_tokens) as reasoning_tokens,
    coalesce(sum(cost_pico), 0) as cost_pico,
    sum(unpriced_calls) as unpriced_calls,
    sum(unmetered_calls) as unmetered_calls,
    sum(cache_hits) as cache_hits,
    sum(cacheable_calls) as cacheable_calls,
    sum(saved_tokens) as saved_tokens,
    sum(semantic_savings_pico) as semantic_savings_pico,
    sum(prompt_savings_pico) as prompt_savings_pico
from entries
group by 1, 2, 3, 4, 5, 6, 7, 8, 9
with no data;
comment on view usage_15m is 'Sums of entries by quarter hour of event time (UTC).';
create index usage_15m_org on usage_15m (org_id, bucket);

create materialized view usage_1d
with (
    timescaledb.continuous, timescaledb.materialized_only = false, timescaledb.create_group_indexes = false
) as
select
    time_bucket(interval '1 day', bucket) as bucket,
    org_id,
    team_id,
    agent_id,
    environment,
    service,
    provider,
    model_id,
    operation,
    sum(calls)::bigint as calls,
    sum(agent_runs)::bigint as agent_runs,
    sum(tool_calls)::bigint as tool_calls,
    sum(input_tokens) as input_tokens,
    sum(cached_input_tokens) as cached_input_tokens,
    sum(cache_write_tokens) as cache_write_tokens,
    sum(output_tokens) as output_tokens,
    sum(reasoning_tokens) as reasoning_tokens,
    sum(cost_pico) as cost_pico,
    sum(unpriced_calls)::bigint as unpriced_calls,
    sum(unmetered_calls)::bigint as unmetered_calls,
    sum(cache_hits)::bigint as cache_hits,
    sum(cacheable_calls)::bigint as cacheable_calls,
    sum(saved_tokens) as saved_tokens,
    sum(semantic_savings_pico) as semantic_savings_pico,
    sum(prompt_savings_pico) as prompt_savings_pico
from usage_15m
group by 1, 2, 3, 4, 5, 6, 7, 8, 9
with no data;
comment on view usage_1d is 'Sums of entries by day of event time (UTC).';
create index usage_1d_org on usage_1d (org_id, bucket);

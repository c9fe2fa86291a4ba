-- Spend by quarter hour and by UTC day, kept by the append's own transaction. The quarter hour serves every time zone.

create table usage_15m (
    bucket timestamptz not null,
    org_id text not null,
    team_id text not null,
    agent_id text not null,
    environment text not null,
    service text not null,
    provider text not null,
    model_id text not null,
    operation text not null,
    calls bigint not null,
    agent_runs bigint not null,
    tool_calls bigint not null,
    input_tokens numeric not null,
    cached_input_tokens numeric not null,
    cache_write_tokens numeric not null,
    output_tokens numeric not null,
    reasoning_tokens numeric not null,
    cost_pico numeric not null,
    unpriced_calls bigint not null,
    unmetered_calls bigint not null,
    cache_hits bigint not null,
    cacheable_calls bigint not null,
    saved_tokens numeric not null,
    semantic_savings_pico numeric not null,
    prompt_savings_pico numeric not null,
    primary key (bucket, org_id, team_id, agent_id, environment, service, provider, model_id, operation)
);
comment on table usage_15m is 'Sums of entries by quarter hour of event time (UTC).';

create table usage_1d (like usage_15m including all);
comment on table usage_1d is 'Sums of entries by day of event time (UTC).';

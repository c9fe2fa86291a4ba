-- Sums of stretches longer than a quarter hour that are over: days of the time zones that reports asked for, weeks, and
-- quarters of the newest days. They are made from the quarter hours; what comes late is added to them.

create table block_calendars (
    zone text not null,
    step text not null check (step in ('day', 'week', 'sixHours')),
    asked_at timestamptz not null default now(),
    built_through timestamptz,
    primary key (zone, step)
);
comment on table block_calendars is
    'Which stretches are summed up when they are over. Days of a zone since a report asked for them; weeks (from Monday) and '
    'quarters of a day, both UTC, in every ledger.';
comment on column block_calendars.built_through is 'Until here every stretch is in blocks; null: none yet.';
insert into block_calendars (zone, step) values ('UTC', 'week'), ('UTC', 'sixHours');

create table blocks (
    starts timestamptz not null,
    ends timestamptz not null check (ends > starts),
    primary key (starts, ends)
);
create index blocks_ends on blocks (ends);
comment on table blocks is 'The stretches whose sums are in usage_blocks; whoever adds to the quarter hours of one adds to it.';

create table usage_blocks (
    starts timestamptz not null,
    ends timestamptz not null,
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
    primary key (starts, ends, org_id, team_id, agent_id, environment, service, provider, model_id, operation)
);
comment on table usage_blocks is 'Sums of entries by block. A table on every engine; reports read it, budgets and dashboards do not.';

-- What is normal for an agent, when the application last started, and what the coverage report needs to find quickly.

create table baselines (
    org_id text not null,
    agent_id text not null,
    baseline_pico_per_hour numeric not null check (baseline_pico_per_hour >= 0),
    updated_at timestamptz not null default now(),
    updated_by text not null,
    primary key (org_id, agent_id)
);
comment on table baselines is 'Spend per hour that is normal for one session of an agent, as an operator stated it.';
comment on column baselines.org_id is 'Empty: every organisation that states none of its own.';
comment on column baselines.baseline_pico_per_hour is 'pico-USD (1e-12 USD) per hour.';

create table service_starts (
    service text primary key,
    started_at timestamptz not null
);
comment on table service_starts is 'When each service last started; the return on caching is told since then.';

create index entries_unpriced on entries (event_time) where unpriced_calls <> 0;
create index entries_embeddings on entries (event_time) where operation = 'embeddings';

-- Budgets as operators state them, the thresholds that were told, and an index for what one user spent.

create table budgets (
    budget_id uuid primary key,
    number bigint generated always as identity unique,
    name text not null,
    scope jsonb not null,
    each text,
    unit text not null,
    zone text not null,
    week_starts_on smallint not null,
    rolling_hours integer not null,
    limit_pico numeric not null check (limit_pico > 0),
    thresholds integer[] not null,
    mode text not null,
    on_unknown text not null,
    raised_pico numeric check (raised_pico > limit_pico),
    raised_since timestamptz,
    raised_until timestamptz,
    counted_since timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    updated_by text not null,
    turns bigint not null default 0,
    check ((raised_pico is null) = (raised_since is null) and (raised_pico is null) = (raised_until is null))
);
comment on table budgets is 'What may be spent, by whom, in which period. Spend itself is always read from the ledger.';
comment on column budgets.scope is 'Values by dimension (org, team, agent, model, environment, session, user); a dimension left out is all.';
comment on column budgets.each is 'Every value of this dimension has the whole limit to itself; null: all calls together.';
comment on column budgets.limit_pico is 'pico-USD (1e-12 USD).';
comment on column budgets.thresholds is 'Hundredths of a percent of the limit.';
comment on column budgets.counted_since is 'When scope, period or limit were stated; thresholds of periods over by then are not told.';
comment on column budgets.turns is 'How often thresholds were told or over; whoever tells any changes it, so that two at once cannot.';

create table budget_firings (
    budget_id uuid not null references budgets on delete cascade,
    member text not null,
    period_start timestamptz not null,
    threshold integer not null,
    limit_pico numeric not null,
    spent_pico numeric not null,
    fired_at timestamptz not null,
    cleared_at timestamptz,
    primary key (budget_id, member, period_start, threshold, limit_pico)
);
comment on table budget_firings is
    'Thresholds that were told, so that each is told once a period, whoever looks and whenever it was restarted.';
comment on column budget_firings.cleared_at is 'When the spend was below the threshold again, or the period over.';

create index entries_user on entries (user_id, event_time) where user_id <> '';
create index entries_recorded on entries using brin (recorded_s);

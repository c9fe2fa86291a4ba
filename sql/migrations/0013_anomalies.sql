-- Who burns now (session_heads), who burned abnormally (anomalies), and what agents usually burn (agent_hours).

create table burn_window (
    only_row boolean primary key default true check (only_row),
    seconds integer not null check (seconds between 600 and 3600)
);
comment on table burn_window is 'The longest sliding window anybody asks for; only ever raised. One row.';
insert into burn_window (seconds) values (600);

create table session_heads (
    org_id text not null,
    session_id text not null,
    agent_id text not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    spend_bound_pico numeric not null,
    primary key (org_id, session_id, agent_id)
) with (fillfactor = 70);
comment on table session_heads is
    'One row a session seen lately, kept by the trigger on session_slots and a function of it: whoever looks for the '
    'fastest sessions need not sum all of them. Rows of sessions long idle are taken away, and come back when needed.';
comment on column session_heads.last_at is 'Of the newest slot with a call; -infinity where no call is left.';
comment on column session_heads.spend_bound_pico is
    'No window of burn_window.seconds, or shorter, that ends after the row was written holds more; pico-USD. Clocks may differ by '
    'a minute, and whoever is further behind finds the session by last_at.';
create index session_heads_bound on session_heads (spend_bound_pico desc, last_at desc);

create function note_session_heads() returns trigger language plpgsql as $$
begin
    -- First the locks, in order: so the sums below see what whoever held them has written.
    perform
    from session_heads h
    where (h.org_id, h.session_id, h.agent_id) in (select t.org_id, t.session_id, t.agent_id from touched t)
    order by h.org_id, h.session_id, h.agent_id
    for no key update;
    insert into session_heads as h (org_id, session_id, agent_id, first_at, last_at, spend_bound_pico)
    select
        t.org_id, t.session_id, t.agent_id, coalesce(first_slot.first_at, 'infinity'),
        coalesce(last_slot.last_at, '-infinity'), recent.spend_pico
    from (select distinct d.org_id, d.session_id, d.agent_id from touched d) t
    cross join burn_window w
    left join lateral (
        select s.first_at
        from session_slots s
        where s.org_id = t.org_id and s.session_id = t.session_id and s.agent_id = t.agent_id and s.calls <> 0
        order by s.slot
        limit 1
    ) first_slot on true
    left join lateral (
        select s.slot, s.last_at
        from session_slots s
        where s.org_id = t.org_id and s.session_id = t.session_id and s.agent_id = t.agent_id and s.calls <> 0
        order by s.slot desc
        limit 1
    ) last_slot on true
    cross join lateral (
        select coalesce(sum(s.cost_pico), 0) as spend_pico
        from session_slots s
        where s.org_id = t.org_id and s.session_id = t.session_id and s.agent_id = t.agent_id
            and s.slot > least(last_slot.slot, now()) - make_interval(secs => w.seconds + 60)
    ) recent
    order by t.org_id, t.session_id, t.agent_id
    on conflict (org_id, session_id, agent_id) do update set
        first_at = excluded.first_at, last_at = excluded.last_at, spend_bound_pico = excluded.spend_bound_pico;
    return null;
end
$$;
create trigger session_slots_added after insert on session_slots
referencing new table as touched for each statement execute function note_session_heads();
create trigger session_slots_raised after update on session_slots
referencing new table as touched for each statement execute function note_session_heads();
-- What is there already, of sessions that may still be active.
update session_slots set calls = calls where slot > now() - interval '1 day';

alter table baselines add column anomaly_multiplier numeric check (anomaly_multiplier between 1 and 1000);
comment on column baselines.anomaly_multiplier is 'So many times the baseline is abnormal; null: what the query API is set to.';

create table anomalies (
    anomaly_id bigint generated always as identity primary key,
    org_id text not null,
    session_id text not null,
    agent_id text not null,
    severity text not null check (severity in ('warning', 'critical')),
    rule text not null check (rule in ('rate', 'urgent', 'sustained', 'singleCall')),
    opened_at timestamptz not null,
    judged_at timestamptz not null,
    closed_at timestamptz,
    close_reason text check (close_reason in ('recovered', 'baselineChanged')),
    below_seconds double precision,
    baseline_pico_per_hour numeric,
    multiplier numeric not null,
    window_seconds integer not null,
    spend_pico numeric,
    calls bigint not null,
    unpriced_calls bigint not null,
    opened_ratio numeric,
    peak_spend_pico numeric not null,
    peak_ratio numeric,
    last_seen_at timestamptz not null,
    top_calls jsonb not null
);
comment on table anomalies is
    'Sessions that burned abnormally, from when to when; written by the judge alone. At most one is open for a session.';
comment on column anomalies.severity is 'The worst there was; rule is the one that found it.';
comment on column anomalies.opened_at is 'The slot in which the spend reached the abnormal.';
comment on column anomalies.judged_at is 'spend_pico, calls, unpriced_calls and last_seen_at are as of then.';
comment on column anomalies.below_seconds is 'For so long the judge has seen it below the closing threshold without a break; null: it is not below.';
comment on column anomalies.opened_ratio is 'Times the baseline when it opened; null without a baseline.';
comment on column anomalies.top_calls is 'The dearest calls of the window it opened in, or, once worse or closed, of all its time.';
create unique index anomalies_open on anomalies (org_id, session_id, agent_id) where closed_at is null;
create index anomalies_closed on anomalies (closed_at) where closed_at is not null;

create table agent_hours (
    org_id text not null,
    agent_id text not null,
    hour timestamptz not null,
    sessions integer not null check (sessions > 0),
    median_pico_per_hour numeric not null,
    primary key (org_id, agent_id, hour)
);
comment on table agent_hours is
    'The median, over an agent''s sessions in an hour, of the highest rate each burned at in a sliding window; the evidence for '
    'baselines. Sessions with an anomaly in that hour are left out.';
create index agent_hours_hour on agent_hours (hour);

create table agent_hours_done (
    only_row boolean primary key default true check (only_row),
    through timestamptz
);
comment on table agent_hours_done is 'Hours before this instant are in agent_hours, or nothing happened in them. One row.';
insert into agent_hours_done default values;

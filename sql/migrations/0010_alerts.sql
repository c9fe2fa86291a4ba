-- Alerts, who is told of them (alert_destinations), what they are told (alert_deliveries), and when they are not
-- (alert_silences).

create table alert_destinations (
    destination_id uuid primary key default gen_random_uuid(),
    org_id text not null,
    name text not null,
    kind text not null check (kind in ('webhook', 'slack', 'pagerduty', 'alertmanager', 'apprise')),
    url text not null,
    secret text not null default '',
    secret_before text not null default '',
    secret_before_until timestamptz,
    matchers jsonb not null default '{}',
    renotify text not null default 'onEscalation' check (renotify in ('never', 'onEscalation', 'interval')),
    renotify_seconds integer not null default 0 check (renotify_seconds >= 0),
    send_resolved boolean not null default true,
    enabled boolean not null default true,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    updated_by text not null,
    deleted_at timestamptz,
    lease uuid,
    leased_until timestamptz,
    not_before timestamptz,
    failures integer not null default 0
);
comment on table alert_destinations is
    'Who is told of alerts. Addresses and secrets are never shown again nor logged. Deleted ones stay for the history.';
comment on column alert_destinations.org_id is 'Told of this organisation''s alerts; empty: of all alerts.';
comment on column alert_destinations.matchers is 'Label to an array of values; only alerts that fit all of them are told.';
comment on column alert_destinations.secret_before is 'Signs too until secret_before_until, while receivers change over.';
comment on column alert_destinations.lease is 'Whoever sends to it now, until leased_until.';
comment on column alert_destinations.not_before is 'Nothing is sent earlier: it asked for rest, or did not answer.';
comment on column alert_destinations.failures is 'Attempts in a row that failed.';
create unique index alert_destinations_name on alert_destinations (org_id, name) where deleted_at is null;

create table alerts (
    alert_id bigint generated always as identity primary key,
    key text not null check (length(key) between 1 and 255),
    org_id text not null,
    agent_id text not null,
    kind text not null,
    severity text not null check (severity in ('info', 'warning', 'critical')),
    title text not null,
    summary text not null,
    labels jsonb not null,
    annotations jsonb not null,
    figures jsonb not null,
    fired_at timestamptz not null,
    updated_at timestamptz not null,
    resolved_at timestamptz
);
comment on table alerts is 'What fired, from when to when. At most one with the same key fires at a time.';
comment on column alerts.severity is 'As of updated_at, as summary, annotations and figures are.';
create unique index alerts_firing on alerts (key) where resolved_at is null;
create index alerts_org on alerts (org_id, alert_id);
create index alerts_resolved on alerts (resolved_at) where resolved_at is not null;

create function alert_snapshot(alert alerts) returns jsonb language sql immutable as $$
    select jsonb_build_object(
        'key', (alert).key, 'kind', (alert).kind, 'severity', (alert).severity, 'orgId', (alert).org_id,
        'agentId', (alert).agent_id, 'title', (alert).title, 'summary', (alert).summary, 'labels', (alert).labels,
        'annotations', (alert).annotations, 'figures', (alert).figures
    )
$$;
comment on function alert_snapshot is 'What is told of an alert, as it is now.';

create table alert_deliveries (
    delivery_id uuid primary key default gen_random_uuid(),
    seq bigint generated always as identity unique,
    alert_id bigint references alerts on delete cascade,
    destination_id uuid not null references alert_destinations,
    key text not null,
    event text not null check (event in ('fired', 'escalated', 'reminder', 'resolved', 'test')),
    alert jsonb not null,
    severity_before text not null default '',
    happened_at timestamptz not null,
    state text not null default 'waiting'
        check (state in ('waiting', 'held', 'resending', 'delivered', 'dead', 'silenced', 'superseded')),
    next_at timestamptz not null,
    attempts integer not null default 0,
    failing_since timestamptz,
    delivered_at timestamptz,
    last_status integer,
    last_fault text not null default ''
);
comment on table alert_deliveries is
    'The outbox: what each destination has to be told, written by the transaction that fires or resolves the alert.';
comment on column alert_deliveries.alert is 'The alert as it was then; every attempt tells the same.';
comment on column alert_deliveries.attempts is 'Sends, whether they worked or not.';
comment on column alert_deliveries.severity_before is 'Of an escalated alert: what was told before.';
comment on column alert_deliveries.state is
    'waiting: to be sent at next_at; held: until a silence ends; resending: sent, and sent again while it fires; '
    'dead: given up; silenced: it was over before the silence was; superseded: something newer is told instead.';
create index alert_deliveries_due on alert_deliveries (destination_id, next_at)
    where state in ('waiting', 'held', 'resending');
create index alert_deliveries_unsent on alert_deliveries (destination_id, key, seq) where state in ('waiting', 'held');
create index alert_deliveries_dead on alert_deliveries (destination_id) where state = 'dead';
create index alert_deliveries_alert on alert_deliveries (alert_id, seq);

create table alert_silences (
    silence_id uuid primary key default gen_random_uuid(),
    org_id text not null,
    matchers jsonb not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null check (ends_at >= starts_at),
    comment text not null,
    created_at timestamptz not null,
    created_by text not null
);
comment on table alert_silences is 'For a time nobody is told of the alerts that fit. Ended ones stay for the history.';
create index alert_silences_ends on alert_silences (ends_at);

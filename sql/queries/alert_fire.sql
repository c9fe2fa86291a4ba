-- Opens an alert; no row where one with this key fires already. Called by ledger.alerts.
insert into alerts (
    key, org_id, agent_id, kind, severity, title, summary, labels, annotations, figures, fired_at, updated_at
)
values (
    %(key)s, %(org_id)s, %(agent_id)s, %(kind)s, %(severity)s, %(title)s, %(summary)s, %(labels)s::text::jsonb,
    %(annotations)s::text::jsonb, %(figures)s::text::jsonb, %(at)s, %(at)s
)
on conflict (key) where resolved_at is null do nothing
returning alert_id

-- A new destination; no row where its name is taken. Called by ledger.alert_destinations.
insert into alert_destinations (
    org_id, name, kind, url, secret, matchers, renotify, renotify_seconds, send_resolved, enabled, created_at,
    updated_at, updated_by
)
values (
    %(org_id)s, %(name)s, %(kind)s, %(url)s, %(secret)s, %(matchers)s::text::jsonb, %(renotify)s,
    %(renotify_seconds)s, %(send_resolved)s, %(enabled)s, %(at)s, %(at)s, %(by)s
)
on conflict (org_id, name) where deleted_at is null do nothing
returning destination_id::text

-- A new silence. Called by ledger.alert_silences.
insert into alert_silences (org_id, matchers, starts_at, ends_at, comment, created_at, created_by)
values (%(org_id)s, %(matchers)s::text::jsonb, %(starts_at)s, %(ends_at)s, %(comment)s, %(at)s, %(by)s)
returning silence_id::text, org_id, matchers, starts_at, ends_at, comment, created_at, created_by

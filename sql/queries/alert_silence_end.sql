-- Ends a silence now; no row where none holds. Called by ledger.alert_silences.
update alert_silences
set ends_at = greatest(least(ends_at, %(now)s), least(starts_at, %(now)s)), starts_at = least(starts_at, %(now)s)
where silence_id = %(silence)s and ends_at > %(now)s and (%(orgs)s::text[] is null or org_id = any(%(orgs)s))
returning silence_id::text, org_id, matchers, starts_at, ends_at, comment, created_at, created_by

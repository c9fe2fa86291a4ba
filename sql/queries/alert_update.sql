-- What is known of a firing alert now. Called by ledger.alerts.
update alerts
set severity = %(severity)s, summary = %(summary)s, annotations = %(annotations)s::text::jsonb,
    figures = %(figures)s::text::jsonb, updated_at = %(at)s
where alert_id = %(alert_id)s

-- The alert that fires under a key, held until the commit. Called by ledger.alerts.
select alert_id, severity from alerts where key = %(key)s and resolved_at is null for no key update

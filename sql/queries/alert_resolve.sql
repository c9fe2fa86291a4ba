-- Closes the alert that fires under a key; no row where none does. Called by ledger.alerts.
update alerts set resolved_at = %(at)s, updated_at = %(at)s where key = %(key)s and resolved_at is null returning alert_id

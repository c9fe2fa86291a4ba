-- Takes a destination away; its row stays for the history, without what is secret. Called by
-- ledger.alert_destinations.
update alert_destinations
set deleted_at = %(at)s, updated_at = %(at)s, updated_by = %(by)s, url = '', secret = '', secret_before = ''
where destination_id = %(destination)s and deleted_at is null

-- A destination as it is from now on; a secret that is replaced signs for a while longer. Called by
-- ledger.alert_destinations.
update alert_destinations
set name = %(name)s, url = %(url)s, secret = %(secret)s, matchers = %(matchers)s::text::jsonb,
    renotify = %(renotify)s, renotify_seconds = %(renotify_seconds)s, send_resolved = %(send_resolved)s,
    enabled = %(enabled)s, updated_at = %(at)s, updated_by = %(by)s, not_before = null, failures = 0,
    secret_before = case when secret = %(secret)s then secret_before when url = %(url)s then secret else '' end,
    secret_before_until = case
        when secret = %(secret)s then secret_before_until when url = %(url)s then %(before_until)s
    end
where destination_id = %(destination)s and deleted_at is null

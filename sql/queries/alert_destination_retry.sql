-- Puts what was given up back into the outbox, as far as it is still news: what fires, and ends. Called by
-- ledger.alert_destinations.
with again as (
    update alert_deliveries l
    set state = 'waiting', next_at = %(at)s, failing_since = null
    from alert_destinations d, alerts a
    where l.destination_id = %(destination)s and l.state = 'dead' and d.destination_id = l.destination_id and d.enabled
        and d.deleted_at is null and a.alert_id = l.alert_id and (l.event = 'resolved' or a.resolved_at is null)
    returning l.delivery_id
),
lane as (
    update alert_destinations set not_before = null, failures = 0 where destination_id = %(destination)s
)
select count(*) from again

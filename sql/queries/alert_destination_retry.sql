-- Puts what was given up back into the outbox. Called by ledger.alert_destinations.
with again as (
    update alert_deliveries l
    set state = 'waiting', next_at = %(at)s, failing_since = null
    from alert_destinations d
    where l.destination_id = %(destination)s and l.state = 'dead' and l.event <> 'test'
        and d.destination_id = l.destination_id and d.deleted_at is null and d.enabled
    returning l.delivery_id
),
lane as (
    update alert_destinations set not_before = null, failures = 0 where destination_id = %(destination)s
)
select count(*) from again

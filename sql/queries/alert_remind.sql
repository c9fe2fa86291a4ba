-- The next reminder of alerts that still fire, for a destination that wants them. Called by ledger.alert_outbox.
insert into alert_deliveries (alert_id, destination_id, key, event, alert, happened_at, next_at)
select l.alert_id, l.destination_id, l.key, 'reminder', l.alert, %(now)s, %(remind_at)s
from alert_deliveries l
where l.delivery_id = any(%(ids)s::uuid[]) and l.event <> 'resolved' and l.alert_id = any(%(firing)s::bigint[])
    and not exists (
        select
        from alert_deliveries e
        where e.alert_id = l.alert_id and e.destination_id = l.destination_id and e.event = 'reminder'
            and e.state in ('waiting', 'held')
    )
